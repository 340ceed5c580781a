"""Contexts: threads and model paths of calls, apart from the process's."""

import copy
import gc
import pickle
import shutil
import weakref

import libae
import numpy as np
import pytest


def test_results_do_not_depend_on_contexts(model, images, packed):
    expected, pixels = model.encode(images), libae.decompress(packed, model)
    for threads in (1, 2, 5):
        context = libae.Context(threads=threads)
        assert context.threads == threads
        np.testing.assert_array_equal(model.encode(images, context=context), expected)
        own = libae.Model.open(model.to_bytes(), context=context)
        np.testing.assert_array_equal(own.encode(images), expected)
        np.testing.assert_array_equal(own.decode(expected), model.decode(expected, context=context))
        labels = np.arange(700) % 10
        assert libae.compress(images, own, labels=labels, block_images=64, context=context) == packed
        np.testing.assert_array_equal(libae.decompress(packed, model, context=context), pixels)
        trained = libae.train(images, steps=20, hidden=(8,), context=context)
        assert trained.to_bytes() == libae.train(images, steps=20, hidden=(8,)).to_bytes()


def test_a_variational_models_calls_take_one(vae, images):
    context = libae.Context(threads=1)
    for got, expected in zip(vae.posterior(images, context=context), vae.posterior(images)):
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(vae.prior(9, context=context), vae.prior(9))
    np.testing.assert_array_equal(vae.sample(9, context=context), vae.sample(9))


def test_models_are_found_on_the_contexts_path(model, packed, tmp_path, images):
    with pytest.raises(libae.ModelError, match="strokes"):
        libae.ImageSet.open(packed)
    folder = tmp_path / "models"
    folder.mkdir()
    model.save(folder / "any name.aew", storage="int8")
    for path in (folder, str(folder), folder / "any name.aew", [tmp_path / "nowhere", folder]):
        context = libae.Context(model_path=path)
        np.testing.assert_array_equal(
            libae.decompress(packed, context=context), libae.decompress(packed, model)
        )
    with libae.ImageSet.open(packed, context=context) as opened:
        again = pickle.loads(pickle.dumps(opened))
        np.testing.assert_array_equal(again[:5], opened[:5])


def test_models_that_come_with_libae_are_looked_for_there_first(root, tmp_path):
    shutil.copy(root / "models" / "digits-low.aew", tmp_path / "digits-low.aew")
    context = libae.Context(model_path=tmp_path)
    assert libae.default_model("digits-low", context=context).name == libae.default_model("digits-low").name


def test_contexts_are_pickled_copied_and_kept(model, images, tmp_path):
    context = libae.Context(threads=2, model_path=[tmp_path, "elsewhere"])
    for again in (pickle.loads(pickle.dumps(context)), copy.copy(context), copy.deepcopy(context)):
        assert (again.threads, again.model_path) == (2, (str(tmp_path), "elsewhere"))
    assert "threads=2" in repr(context)
    assert libae.Context().threads is None
    # What was made with a context works on when that is closed.
    own = libae.Model.open(model.to_bytes(), context=context)
    trainer = libae.Trainer((12, 10), steps=5, hidden=(4,), context=context)
    gone = weakref.ref(context._handle)
    context.close()
    assert "closed" in repr(context)
    own.encode(images[:3])
    trainer.fit(images)
    with pytest.raises(libae.ArgumentError, match="this Context is closed"):
        model.encode(images, context=context)
    del own, trainer, context
    gc.collect()
    assert gone() is None


def test_absurd_contexts_are_refused(images, model):
    for threads in (0, -1, 257, 2**40):
        with pytest.raises(libae.ArgumentError, match="threads"):
            libae.Context(threads=threads)
    with pytest.raises(TypeError, match="threads"):
        libae.Context(threads="two")
    with pytest.raises(libae.ArgumentError, match="NUL"):
        libae.Context(model_path="a\0b")
    with pytest.raises(libae.ArgumentError, match="colon"):
        libae.Context(model_path=["a:b", "c"])
    with pytest.raises(TypeError, match=r"a libae\.Context expected, int came"):
        model.encode(images, context=2)
