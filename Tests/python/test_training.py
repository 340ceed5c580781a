"""Training: repeatable, resumable, stoppable; what a callback raises comes through."""

import copy
import gc
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import weakref

import libae
import numpy as np
import pytest
import strokes

SMALL = {"latent_size": 3, "hidden": (16,), "batch_size": 50, "seed": 5}


@pytest.mark.filterwarnings("ignore:.* are stored as pixels")  # the model is hardly trained
@pytest.mark.parametrize("kind", ["pca", "linear", "sigmoid", "relu", "elu", "vae", "conv-vae"])
def test_every_kind_trains_and_encodes(images, kind):
    hidden = (4, 4, 16) if kind == "conv-vae" else (16,)
    model = libae.train(images, kind=kind, steps=40, **{**SMALL, "hidden": hidden})
    assert model.info.kind == kind
    assert model.encode(images).shape == (700, 3)
    assert libae.decompress(libae.compress(images, model), model).shape == images.shape


def test_a_run_of_the_tools_goes_on_here(images, tmp_path):
    kept, drawn = tmp_path / "run", tmp_path / "drawn-idx3-ubyte"
    drawn.write_bytes(strokes.idx(images))
    recipe = "--latent-size 3 --hidden 16 --rd-lambda 0.1 --steps 60 --quiet".split()
    whole = tmp_path / "model.aew"
    subprocess.run(
        [os.environ["AEZ"], "train", drawn, *recipe, "--storage", "float32", "-o", whole],
        check=True,
        capture_output=True,
    )
    options = {"latent_size": 3, "hidden": (16,), "rd_lambda": 0.1, "steps": 60}
    trainer = libae.Trainer((12, 10), progress_interval=20, **options)
    assert trainer.fit(images, lambda _: False) is False
    trainer.save(kept)
    resumed = libae.Trainer.resume(kept)
    assert {key: resumed.options[key] for key in options} == options
    assert resumed.fit(images)
    with libae.Model.open(whole) as model:
        np.testing.assert_array_equal(resumed.model().encode(images), model.encode(images))


def test_a_trainer_starts_from_a_models_weights(images, model):
    trainer = libae.Trainer(start=model, steps=40, seed=2)
    assert trainer.image_shape == (12, 10)
    np.testing.assert_array_equal(trainer.model().encode(images[:9]), model.encode(images[:9]))
    assert trainer.fit(images)
    assert trainer.model().latent_size == model.latent_size
    again = libae.train(images, start=model, steps=40, seed=2, codec=False)
    assert again.encode(images).tobytes() == trainer.model().encode(images).tobytes()
    for wrong in ({"latent_size": 3}, {"kind": "relu"}, {"image_shape": (10, 12)}, {"hidden": (9,)}):
        with pytest.raises(libae.ArgumentError, match=r".{10}"):
            libae.Trainer(start=model, **wrong)
    with pytest.raises(libae.KindError):
        libae.Trainer(start=libae.Model.open(model.to_bytes("int8")))


def test_presets_set_options_that_keywords_override():
    for preset in libae.presets():
        trainer = libae.Trainer(preset=preset.name)
        options = trainer.options
        for key, text in preset.options.items():
            value = options[key]
            if isinstance(value, tuple):
                assert ",".join(map(str, value)) == text
            elif isinstance(value, bool):
                assert str(value).lower() == text
            elif isinstance(value, str):
                assert value == text
            else:
                assert value == float(text)
        trainer.close()
    assert libae.Trainer(preset="quick", steps=7).options["steps"] == 7
    with pytest.raises(libae.ArgumentError, match="quick"):
        libae.Trainer(preset="slow")


def test_training_lowers_the_error_and_reports_it(images):
    told = []
    libae.train(
        images, steps=600, progress_interval=100, progress=told.append, validation_fraction=0.1, **SMALL
    )
    assert [progress.step for progress in told] == [100, 200, 300, 400, 500, 600]
    assert all(progress.step_count == 600 for progress in told)
    assert told[-1].mse < told[0].mse
    assert told[-1].psnr == pytest.approx(-10 * np.log10(told[-1].mse), abs=1e-6)
    assert any(progress.validation_mse is not None for progress in told)
    assert all(progress.learning_rate > 0 for progress in told)
    seconds = [progress.seconds for progress in told]
    assert seconds == sorted(seconds)


def test_without_a_validation_split_none_is_reported(images):
    told = []
    libae.train(images, steps=20, progress_interval=10, progress=told.append, **SMALL)
    assert [progress.validation_mse for progress in told] == [None, None]


def test_the_same_seed_gives_the_same_weights_whatever_the_threads(images):
    before = libae.threads()
    try:
        results = []
        for count in (1, 2, 3):
            libae.set_threads(count)
            results.append(libae.train(images, steps=60, **SMALL).to_bytes())
        assert results[0] == results[1] == results[2]
    finally:
        libae.set_threads(before)
    other = libae.train(images, steps=60, **{**SMALL, "seed": 6})
    assert other.to_bytes() != results[0]


def test_steps_that_warm_up_draw_one_importance_sample(images):
    options = {"steps": 20, "kind": "vae", **SMALL}
    codes = []
    for samples, warmup in ((1, 0), (5, 20), (5, 10)):
        drawn = {"importance_samples": samples, "importance_warmup_steps": warmup}
        trainer = libae.Trainer((12, 10), **options, **drawn)
        trainer.fit(images)
        codes.append(trainer.model().encode(images))
    assert np.array_equal(codes[0], codes[1])
    assert not np.array_equal(codes[0], codes[2])


def test_a_run_resumed_from_a_checkpoint_ends_as_the_unbroken_one(images, tmp_path):
    options = {
        "steps": 120,
        "progress_interval": 10,
        "kind": "vae",
        "noise": 0.1,
        "deformation": 0.05,
        "importance_samples": 3,
        "importance_warmup_steps": 70,
        "weight_average": 0.9,
        **SMALL,
    }
    unbroken = libae.Trainer((12, 10), **options)
    assert unbroken.fit(images) is True

    broken = libae.Trainer((12, 10), **options)
    assert broken.fit(images, lambda progress: progress.step < 50) is False
    path = tmp_path / "run.checkpoint"
    broken.save(path)
    assert path.read_bytes() == broken.to_bytes()
    assert list(tmp_path.iterdir()) == [path]
    for source in (path, path.read_bytes()):
        resumed = libae.Trainer.resume(source, progress_interval=40)
        assert resumed.image_shape == (12, 10)
        with pytest.raises(libae.ArgumentError, match="goes on with the images that it began with"):
            resumed.fit(images[::-1])
        told = []
        assert resumed.fit(images, told.append) is True
        assert told[-1].step == 120
        assert resumed.model().to_bytes() == unbroken.model().to_bytes()
    # The trainer that was stopped goes on, too.
    assert broken.fit(images) is True
    assert broken.model().to_bytes() == unbroken.model().to_bytes()


def test_stopping_keeps_the_weights_so_far(images):
    model = libae.train(
        images, steps=10**9, progress_interval=20, progress=lambda progress: progress.step < 60, **SMALL
    )
    assert (
        model.to_bytes()
        == libae.train(
            images, steps=10**9, progress_interval=60, progress=lambda _: False, **SMALL
        ).to_bytes()
    )


class OddError(Exception):
    """None that anyone else raises."""


@pytest.mark.parametrize("kind", [OddError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_a_callback_raises_stops_training_and_comes_through(images, kind):
    calls = []

    def progress(told):
        calls.append(told.step)
        if told.step == 30:
            raise kind("thirty")

    trainer = libae.Trainer((12, 10), steps=10**9, progress_interval=10, **SMALL)
    with pytest.raises(kind, match="thirty"):
        trainer.fit(images, progress)
    assert calls == [10, 20, 30]
    # The trainer is as after a whole step.
    calls.clear()
    assert trainer.fit(images, lambda told: calls.append(told.step) or told.step < 50) is False
    assert calls == [40, 50]


def test_other_results_of_a_callback_go_on(images):
    for result in (None, True, 0, "", [], np.True_, np.array(True), np.zeros(3, bool)):
        assert libae.Trainer((12, 10), steps=20, progress_interval=10, **SMALL).fit(
            images, lambda _, r=result: r
        )


class Tensor:
    """A boolean as other array libraries have them."""

    dtype, ndim = "torch.bool", 0

    def __bool__(self):
        return False


def test_any_librarys_false_stops(images):
    for result in (False, np.False_, np.array(False), Tensor()):
        trainer = libae.Trainer((12, 10), steps=10**9, progress_interval=10, **SMALL)
        assert trainer.fit(images, lambda _, r=result: r) is False
        assert trainer.step(images[:50]).step == 11


def test_a_trainer_is_not_used_from_its_own_callback_or_another_thread(images):
    trainer = libae.Trainer((12, 10), steps=10**9, progress_interval=10, **SMALL)
    raised = []

    def progress(told):
        for call in (trainer.to_bytes, trainer.model):
            try:
                call()
            except libae.ArgumentError as error:
                raised.append(str(error))
        return False

    assert trainer.fit(images, progress) is False
    assert len(raised) == 2
    assert "in use" in raised[0]
    trainer.to_bytes()


def test_control_c_stops_training_without_any_callback():
    program = textwrap.dedent(
        """
        import os, signal, sys, threading
        import libae, numpy as np
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
        images = np.zeros((100, 12, 10), np.uint8)
        trainer = libae.Trainer((12, 10), steps=10**9, progress_interval=10**9, latent_size=2, hidden=(8,))
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            trainer.fit(images)
        except KeyboardInterrupt:
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
            trainer.model()
            print("interrupted")
        """
    )
    source = os.path.dirname(os.path.dirname(libae.__file__))
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")


def test_signal_handlers_of_the_program_run_during_training(images):
    class LateError(Exception):
        pass

    def late(number, frame):
        raise LateError

    before = signal.signal(signal.SIGALRM, late)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(LateError):
            libae.train(images, steps=10**9, progress_interval=10, **SMALL)
        assert signal.getsignal(signal.SIGALRM) is late
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_two_trainers_run_side_by_side_in_threads(images):
    expected = libae.train(images, steps=80, **SMALL).to_bytes()
    results = [None, None]

    def run(place):
        results[place] = libae.train(images, steps=80, progress_interval=7, progress=lambda _: None, **SMALL)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [model.to_bytes() for model in results] == [expected, expected]


def test_the_callers_own_batches_train_too(images):
    trainer = libae.Trainer((12, 10), steps=10, **SMALL)
    first = trainer.step(images[:50])
    assert first.step == 1
    for _ in range(200):
        last = trainer.step(images[:50] / 255.0)
    assert last.step == 201
    assert last.mse < first.mse
    with pytest.raises(libae.ShapeError):
        trainer.step(np.zeros((3, 28, 28), np.float32))
    with pytest.raises(libae.ArgumentError):
        trainer.step(np.full((3, 12, 10), np.nan))
    with pytest.raises(libae.ArgumentError):
        trainer.step(np.zeros((0, 12, 10), np.float32))
    with pytest.raises(libae.KindError):
        libae.Trainer((12, 10), kind="pca").step(images[:50])


def test_divergence_is_an_arithmetic_error(images):
    with pytest.raises(ArithmeticError) as caught:
        libae.train(images, steps=2000, learning_rate=10, kind="linear", **{**SMALL, "hidden": (8,) * 8})
    assert isinstance(caught.value, libae.DivergedError)


def test_options_reach_the_library(images):
    model = libae.train(images, steps=1, latent_size=7, hidden=(9, 8), name="né", codec=False)
    assert model.info.parameter_count == sum(
        a * b + b for a, b in ((120, 9), (9, 8), (8, 7), (7, 8), (8, 9), (9, 120))
    )
    assert model.name == "né"
    straight = libae.train(images, steps=1, latent_size=7, hidden=(), codec=False)
    assert straight.info.parameter_count == 120 * 7 + 7 + 7 * 120 + 120
    assert libae.Trainer(kind="vae", hidden=(8,)).model().latent_size == 20
    assert libae.Trainer(hidden=(8,)).model().latent_size == 5
    assert libae.Trainer((9, 33), hidden=(8,)).model().image_shape == (9, 33)


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "gan"},
        {"loss": "l1"},
        {"output_activation": "tanh"},
        {"schedule": "never"},
        {"latent_size": 4097},
        {"latent_size": -1},
        {"hidden": (0,)},
        {"hidden": (4097,)},
        {"hidden": (4,) * 9},
        {"batch_size": 0},
        {"batch_size": 2**40},
        {"seed": -1},
        {"steps": 2**64},
        {"learning_rate": float("nan")},
        {"learning_rate": -1.0},
        {"validation_fraction": 0.75},
        {"weight_average": 1.0},
        {"noise": float("inf")},
        {"deformation": 0.6},
        {"importance_samples": 2},
        {"name": "x" * 65},
        {"name": "a\0b"},
        {"progress_interval": 0},
        {"image_shape": (0, 10)},
        {"image_shape": (257, 10)},
    ],
)
def test_options_out_of_range_are_value_errors(options):
    with pytest.raises(ValueError, match=r".{10}"):
        libae.Trainer(**options)


def test_shapes_of_training_images_are_found_or_asked_for(images):
    flat = np.zeros((60, 784), np.uint8)
    assert libae.train(flat, steps=1, hidden=(4,), codec=False).image_shape == (28, 28)
    given = libae.train(images.reshape(700, 120), image_shape=(10, 12), steps=1, hidden=(4,), codec=False)
    assert given.image_shape == (10, 12)
    with pytest.raises(libae.ShapeError, match="image_shape"):
        libae.train(images.reshape(700, 120))
    with pytest.raises(TypeError, match="uint8"):
        libae.train(images / 255.0)
    with pytest.raises(ValueError, match=r".{10}"):
        libae.train(images[:0], steps=1)


def test_bad_checkpoints_are_refused(images, model):
    trainer = libae.Trainer((12, 10), steps=10, **SMALL)
    trainer.fit(images)
    whole = trainer.to_bytes()
    for data in (b"", b"x", whole[: len(whole) // 2], whole[:-1], model.to_bytes()):
        with pytest.raises(libae.Error):
            libae.Trainer.resume(data)
    with pytest.raises(FileNotFoundError):
        libae.Trainer.resume("/nowhere/at.all")


def test_trainers_are_pickled_and_copied_as_checkpoints(images):
    trainer = libae.Trainer((12, 10), steps=40, progress_interval=20, **SMALL)
    trainer.fit(images, lambda _: False)
    for again in (pickle.loads(pickle.dumps(trainer)), copy.copy(trainer), copy.deepcopy(trainer)):
        assert again.image_shape == (12, 10)
        told = []
        assert again.fit(images, told.append)
        assert [each.step for each in told] == [40]
        assert again.model().to_bytes() != trainer.model().to_bytes()
    trainer.fit(images)
    assert again.model().to_bytes() == trainer.model().to_bytes()


def test_misspelt_options_are_told_which_was_meant(images):
    for call in (libae.Trainer, lambda **options: libae.train(images, **options)):
        with pytest.raises(TypeError, match="'step'; did you mean 'steps'"):
            call(step=10)
        with pytest.raises(TypeError, match="'latent_dim'; did you mean 'latent_size'"):
            call(latent_dim=10)
    with pytest.raises(TypeError, match="'qualty'; did you mean 'quality'"):
        libae.compress(images, qualty=3)
    with pytest.raises(TypeError, match="'zzz'; there are .*steps"):
        libae.train(images, zzz=3)
    with pytest.raises(TypeError, match="progress_interval"):
        libae.Trainer.resume(b"", progress_intervall=3)


def test_trainers_close_and_are_freed(images):
    trainer = libae.Trainer((12, 10), steps=10, **SMALL)
    gone = weakref.ref(trainer._handle)
    with trainer:
        trainer.fit(images)
    assert gone() is None
    with pytest.raises(libae.ArgumentError, match="this Trainer is closed"):
        trainer.fit(images)
    other = libae.Trainer((12, 10), steps=10, **SMALL)
    gone = weakref.ref(other._handle)
    other.fit(images, lambda _, keep=other: None)
    del other
    gc.collect()
    assert gone() is None


def test_log_lines_are_text_and_what_log_raises_comes_through(images):
    lines = []
    libae.train(images, steps=20, progress_interval=10, log=lines.append, **SMALL)
    assert all(isinstance(line, str) and "\n" not in line for line in lines)
