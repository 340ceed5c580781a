"""Models: opening, encoding, decoding, sampling, saving, closing, copying."""

import copy
import gc
import pickle

import libae
import numpy as np
import pytest
from libae import _arrays


def test_info_tells_what_was_trained(model, vae):
    info = model.info
    assert (info.kind, info.storage, info.name) == ("elu", "float32", "strokes")
    assert (info.width, info.height, info.channels) == (10, 12, 1)
    assert (info.latent_size, info.has_encoder, info.is_variational, info.has_codec) == (6, True, False, True)
    assert info.parameter_count == 120 * 48 + 48 + 48 * 6 + 6 + 6 * 48 + 48 + 48 * 120 + 120
    assert info.quality_count >= 3
    assert len(info.hash) == 64
    assert set(info.hash) <= set("0123456789abcdef")
    assert model.image_shape == (12, 10)
    assert vae.info.is_variational
    assert "strokes" in repr(model)


def test_decoding_codes_gives_back_the_images_roughly(model, images):
    decoded = model.decode(model.encode(images))
    error = np.mean((decoded - images / 255) ** 2)
    flat = np.mean((images / 255 - np.mean(images / 255, axis=0)) ** 2)
    assert error < 0.7 * flat


@pytest.mark.parametrize(
    "shape",
    [(12, 10), (120,), (24, 12, 10), (24, 120), (2, 3, 4, 12, 10), (2, 3, 4, 120), (0, 12, 10), (0, 120)],
)
def test_any_leading_shape_goes_in_and_comes_out(model, images, shape):
    count = int(np.prod(shape)) // 120
    lead = shape[: -2 if shape[-2:] == (12, 10) else -1]
    given = images[:count].reshape(shape)
    codes = model.encode(given)
    assert codes.shape == (*lead, 6)
    assert codes.dtype == np.float32
    assert model.decode(codes).shape == (*lead, 12, 10)
    np.testing.assert_array_equal(codes.reshape(count, 6), model.encode(images[:count]))


def test_bytes_and_floats_of_the_same_images_encode_the_same(model, images):
    as_float = images[:50].astype(np.float32) / np.float32(255)
    np.testing.assert_allclose(model.encode(as_float), model.encode(images[:50]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, ">f4", np.longdouble, bool])
def test_other_real_types_are_converted_to_float32(model, images, dtype):
    given = (images[:20] / 255).astype(dtype)
    np.testing.assert_array_equal(model.encode(given), model.encode(given.astype(np.float32)))


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint16, np.complex64, object, "S1"])
def test_types_of_unknown_scale_are_refused(model, dtype):
    with pytest.raises(TypeError, match=r"uint8 \(0 to 255\)"):
        model.encode(np.zeros((3, 12, 10), dtype))


def test_lists_of_numbers_are_taken(model):
    assert model.encode([[0.5] * 10] * 12).shape == (6,)


def test_arrays_that_are_not_contiguous_give_what_their_copies_give(model, images):
    base = images[:40]
    for view in (base[::3], base[::-1], base[:, ::-1], np.asfortranarray(base), base[:, :, ::-1]):
        np.testing.assert_array_equal(model.encode(view), model.encode(view.copy()))
    codes = model.encode(base)
    np.testing.assert_array_equal(model.decode(codes[::2]), model.decode(codes[::2].copy()))


def test_contiguous_input_is_not_copied():
    for dtype in (np.uint8, np.float32):
        array = np.zeros((5, 12, 10), dtype)
        assert _arrays.address(_arrays.pixels(array)) == array.ctypes.data
        assert _arrays.address(_arrays.pixels(array[2:])) == array[2:].ctypes.data
    codes = np.zeros((5, 6), np.float32)
    assert _arrays.address(_arrays.codes(codes)) == codes.ctypes.data


def test_decode_gives_floats_in_range_or_bytes(model):
    codes = np.random.default_rng(0).normal(0, 5, (30, 6))
    as_float, as_bytes = model.decode(codes), model.decode(codes, dtype=np.uint8)
    assert (as_float.dtype, as_bytes.dtype) == (np.float32, np.uint8)
    assert as_float.min() >= 0
    assert as_float.max() <= 1
    np.testing.assert_allclose(as_bytes, np.rint(as_float * 255), atol=1)
    with pytest.raises(TypeError, match="float32 or uint8"):
        model.decode(codes, dtype=np.float64)


def test_latent_codes_may_be_of_any_real_type(model):
    codes = np.arange(12).reshape(2, 6)
    expected = model.decode(codes.astype(np.float32))
    for dtype in (np.int64, np.uint8, np.float64):
        np.testing.assert_array_equal(model.decode(codes.astype(dtype)), expected)
    with pytest.raises(TypeError, match="real numbers"):
        model.decode(codes.astype(np.complex128))


def test_results_can_go_into_arrays_of_the_callers(model, images):
    codes = np.empty((50, 6), np.float32)
    assert model.encode(images[:50], out=codes) is codes
    np.testing.assert_array_equal(codes, model.encode(images[:50]))
    pixels = np.empty((50, 12, 10), np.uint8)
    assert model.decode(codes, dtype=np.uint8, out=pixels) is pixels
    np.testing.assert_array_equal(pixels, model.decode(codes, dtype=np.uint8))


def test_arrays_of_the_callers_that_do_not_fit_are_refused(model, images):
    given = images[:4]
    with pytest.raises(libae.ShapeError, match=r"\(4, 6\) expected, \(4, 5\) came"):
        model.encode(given, out=np.empty((4, 5), np.float32))
    with pytest.raises(TypeError, match="float32 expected, float64 came"):
        model.encode(given, out=np.empty((4, 6)))
    with pytest.raises(libae.ArgumentError, match="contiguous"):
        model.encode(given, out=np.empty((4, 12), np.float32)[:, ::2])
    fixed = np.empty((4, 6), np.float32)
    fixed.setflags(write=False)
    with pytest.raises(libae.ArgumentError, match="written to"):
        model.encode(given, out=fixed)
    both = np.zeros(4 * 120, np.float32)
    with pytest.raises(libae.ArgumentError, match="overlap"):
        model.encode(both.reshape(4, 120), out=both[:24].reshape(4, 6))


def test_wrong_sizes_are_value_errors_that_name_both(model):
    with pytest.raises(ValueError, match=r"\(12, 10\) or \(120\) expected, \(3, 28, 28\) came") as caught:
        model.encode(np.zeros((3, 28, 28), np.uint8))
    assert isinstance(caught.value, libae.ShapeError)
    # The same number of pixels in another shape is another image.
    with pytest.raises(libae.ShapeError):
        model.encode(np.zeros((3, 10, 12), np.uint8))
    with pytest.raises(libae.ShapeError, match=r"\(6\) expected, \(3, 5\) came"):
        model.decode(np.zeros((3, 5)))
    with pytest.raises(libae.ShapeError):
        model.decode(np.float32(3))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_values_that_are_not_finite_are_refused(model, value):
    given = np.zeros((3, 12, 10))
    given[1, 2, 3] = value
    with pytest.raises(libae.ArgumentError):
        model.encode(given)
    codes = np.zeros((3, 6))
    codes[2, 5] = value
    with pytest.raises(libae.ArgumentError):
        model.decode(codes)


def test_the_posterior_has_the_codes_for_its_mean(vae, images):
    mean, log_variance = vae.posterior(images[:60].reshape(6, 10, 12, 10))
    assert mean.shape == log_variance.shape == (6, 10, 5)
    np.testing.assert_allclose(mean.reshape(60, 5), vae.encode(images[:60]), rtol=1e-5, atol=1e-6)
    assert np.isfinite(log_variance).all()
    from_floats, _ = vae.posterior(images[:60] / np.float32(255))
    np.testing.assert_allclose(from_floats, mean.reshape(60, 5), rtol=1e-4, atol=1e-5)


def test_samples_are_the_decoded_prior_and_follow_the_seed(vae):
    codes = vae.prior(200, seed=7)
    assert codes.shape == (200, 5)
    np.testing.assert_array_equal(codes[:30], vae.prior(30, seed=7))
    assert not np.array_equal(codes, vae.prior(200, seed=8))
    assert abs(codes.mean()) < 0.15
    assert abs(codes.std() - 1) < 0.15
    samples = vae.sample(200, seed=7)
    assert samples.shape == (200, 12, 10)
    np.testing.assert_allclose(samples, vae.decode(codes), rtol=1e-5, atol=1e-6)
    as_bytes = vae.sample(200, seed=7, dtype=np.uint8)
    np.testing.assert_array_equal(as_bytes, vae.decode(codes, dtype=np.uint8))
    assert vae.sample(0).shape == (0, 12, 10)
    assert vae.sample(np.int32(2), seed=np.uint64(2**64 - 1)).shape == (2, 12, 10)


def test_absurd_counts_and_seeds_are_refused_and_not_cut_to_size(vae):
    for count in (-1, 2**64, 2**63, 2**61):
        with pytest.raises((libae.ArgumentError, MemoryError)):
            vae.sample(count)
    for seed in (-1, 2**64):
        with pytest.raises(libae.ArgumentError, match="seed"):
            vae.prior(3, seed=seed)
    with pytest.raises(TypeError, match="integer expected, float came"):
        vae.sample(2.0)


def test_what_a_model_cannot_do_is_a_kind_error(model, decoder, images):
    for call in (
        lambda: model.sample(2),
        lambda: model.posterior(images[:2]),
        lambda: decoder.encode(images),
    ):
        with pytest.raises(libae.KindError) as caught:
            call()
        assert caught.value.status == 7
        assert caught.value.name == "AE_ERROR_KIND"
        assert str(caught.value)
    assert not decoder.info.has_encoder
    codes = model.encode(images[:9])
    np.testing.assert_array_equal(decoder.decode(codes), model.decode(codes))


def test_a_saved_model_is_the_same_model(model, images, tmp_path):
    path = tmp_path / "ü model.aew"
    model.save(path)
    assert path.read_bytes() == model.to_bytes()
    for source in (
        path,
        str(path),
        path.read_bytes(),
        bytearray(path.read_bytes()),
        memoryview(model.to_bytes()),
    ):
        again = libae.Model.open(source)
        assert again.info == model.info
        np.testing.assert_array_equal(again.encode(images[:9]), model.encode(images[:9]))
    assert sorted(tmp_path.iterdir()) == [path]
    model.save(path, decoder_only=True)
    assert not libae.Model.open(path).info.has_encoder


def test_storage_can_be_chosen_and_shrinks_the_file(model, int8, images):
    sizes = [len(model.to_bytes(storage)) for storage in ("float32", "float16", "int8")]
    assert sizes[0] > sizes[1] > sizes[2]
    assert int8.info.storage == "int8"
    assert int8.info.hash == model.info.hash
    np.testing.assert_allclose(int8.decode(int8.encode(images)), model.decode(model.encode(images)), atol=0.2)
    with pytest.raises(libae.KindError):
        int8.to_bytes("float32")
    with pytest.raises(libae.ArgumentError, match="float32, float16, int8 expected, 'int4' came"):
        model.to_bytes("int4")


def test_a_model_outlives_the_bytes_it_was_opened_from(model, images):
    data = bytearray(model.to_bytes())
    opened = libae.Model.open(data)
    data[:] = bytes(len(data))
    del data
    gc.collect()
    np.testing.assert_array_equal(opened.encode(images[:9]), model.encode(images[:9]))


def test_bad_weight_files_are_refused_with_a_reason(model, tmp_path):
    whole = model.to_bytes()
    for data in (b"", b"x", bytes(1000), whole[: len(whole) // 2], whole[:-1], whole + b"\0"):
        with pytest.raises(libae.Error) as caught:
            libae.Model.open(data)
        assert isinstance(caught.value, ValueError)
        assert caught.value.name in {"AE_ERROR_FORMAT", "AE_ERROR_CHECKSUM", "AE_ERROR_ARGUMENT"}
        assert len(str(caught.value)) > 10
    with pytest.raises(OSError, match="nowhere") as missing:
        libae.Model.open(tmp_path / "nowhere.aew")
    assert isinstance(missing.value, libae.FileError)
    with pytest.raises(libae.FileError):
        libae.Model.open(tmp_path)
    with pytest.raises(libae.FileError):
        model.save(tmp_path / "no" / "folder.aew")
    with pytest.raises(ValueError, match="NUL"):
        libae.Model.open("a\0b")
    with pytest.raises(TypeError):
        libae.Model.open(3)


def test_flipped_bits_are_found_or_harmless(model, images):
    whole = model.to_bytes("int8")
    random = np.random.default_rng(5)
    for place in random.integers(0, len(whole), 60):
        data = bytearray(whole)
        data[place] ^= 1 << int(random.integers(8))
        with pytest.raises(libae.Error):
            libae.Model.open(data).encode(images[:2])


def test_pickling_and_copying_go_through_the_weight_file(model, int8, decoder, images):
    for original in (model, int8):
        for twin in (pickle.loads(pickle.dumps(original)), copy.copy(original), copy.deepcopy(original)):
            assert twin is not original
            assert twin.info == original.info
            np.testing.assert_array_equal(twin.encode(images[:9]), original.encode(images[:9]))
            assert libae.compress(images, twin) == libae.compress(images, original)
    assert not pickle.loads(pickle.dumps(decoder)).info.has_encoder


def test_a_closed_model_says_so(model):
    with libae.Model.open(model.to_bytes()) as opened:
        assert not opened.closed
    assert opened.closed
    opened.close()
    assert opened.info == model.info
    for call in (
        lambda: opened.encode(np.zeros((12, 10), np.uint8)),
        lambda: opened.decode(np.zeros(6)),
        opened.to_bytes,
        lambda: libae.compress(np.zeros((1, 12, 10), np.uint8), opened),
        opened.__enter__,
        lambda: pickle.dumps(opened),
    ):
        with pytest.raises(libae.ArgumentError, match="this Model is closed"):
            call()
    assert "closed" in repr(opened)


def test_models_are_freed_when_nothing_refers_to_them(model):
    def resident() -> int:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * 4096

    data = model.to_bytes()
    for _ in range(50):
        libae.Model.open(data)
    before = resident()
    for _ in range(600):
        libae.Model.open(data)
    assert resident() - before < 200 * len(data)


def test_a_model_is_made_of_its_description_and_its_tensors(model, vae, images):
    for given in (model, vae):
        tensors = given.tensors()
        assert list(tensors)[:2] == ["encoder.0.weight", "encoder.0.bias"]
        assert list(tensors)[-1] == "decoder.1.bias"
        assert sum(array.size for array in tensors.values()) == given.info.parameter_count
        again = libae.Model.from_tensors(given.description, tensors)
        np.testing.assert_array_equal(again.encode(images), given.encode(images))
        assert again.decode(again.encode(images)).tobytes() == given.decode(given.encode(images)).tobytes()
        assert (again.description, again.name) == (given.description, given.name)
        assert not again.info.has_codec
        assert again.info.is_variational == given.info.is_variational


def test_tensors_are_matrices_that_are_read_and_keep_the_model(model, images):
    owner = libae.Model.open(model.to_bytes())
    tensors = owner.tensors()
    shapes = {name: array.shape for name, array in tensors.items()}
    assert shapes["encoder.0.weight"] == (48, 120)
    assert shapes["encoder.1.weight"] == (6, 48)
    assert shapes["encoder.0.bias"] == (48,)
    assert shapes["decoder.1.weight"] == (120, 48)
    assert all(array.dtype == np.float32 for array in tensors.values())
    weight = tensors["encoder.0.weight"]
    with pytest.raises(ValueError, match="read-only"):
        weight[0, 0] = 1
    expected = weight.copy()
    owner.close()
    del owner, tensors
    gc.collect()
    np.testing.assert_array_equal(weight, expected)


def test_the_layers_are_those_of_a_numpy_network(images):
    random = np.random.default_rng(5)
    tensors = {
        "encoder.0.weight": random.standard_normal((30, 120)) / 10,
        "encoder.0.bias": random.standard_normal(30),
        "encoder.1.weight": random.standard_normal((4, 30)) / 10,
        "encoder.1.bias": random.standard_normal(4),
        "decoder.0.weight": random.standard_normal((30, 4)) / 10,
        "decoder.0.bias": random.standard_normal(30),
        "decoder.1.weight": random.standard_normal((120, 30)) / 10,
        "decoder.1.bias": random.standard_normal(120),
    }
    description = {
        "kind": "relu",
        "height": 12,
        "width": 10,
        "latent_size": 4,
        "hidden": (30,),
        "output_activation": "sigmoid",
        "name": "mine",
    }
    made = libae.Model.from_tensors(description, tensors, context=libae.Context(threads=1))
    assert made.name == "mine"
    inputs = images[:50].reshape(50, 120) / 255
    hidden = np.maximum(inputs @ tensors["encoder.0.weight"].T + tensors["encoder.0.bias"], 0)
    codes = hidden @ tensors["encoder.1.weight"].T + tensors["encoder.1.bias"]
    np.testing.assert_allclose(made.encode(images[:50]), codes, rtol=1e-4, atol=1e-4)
    hidden = np.maximum(codes @ tensors["decoder.0.weight"].T + tensors["decoder.0.bias"], 0)
    pixels = 1 / (1 + np.exp(-(hidden @ tensors["decoder.1.weight"].T + tensors["decoder.1.bias"])))
    np.testing.assert_allclose(made.decode(codes).reshape(50, 120), pixels, rtol=1e-3, atol=1e-4)


def test_tensors_that_do_not_fit_are_named(model):
    tensors = dict(model.tensors())
    description = model.description
    for change, words in (
        ({"encoder.0.weight": None}, "encoder.0.weight"),
        ({"decoder.1.bias": np.zeros(7)}, "decoder.1.bias"),
        ({"encoder.9.bias": np.zeros(7)}, "tensors"),
    ):
        given = {name: array for name, array in {**tensors, **change}.items() if array is not None}
        with pytest.raises(libae.ShapeError, match=words):
            libae.Model.from_tensors(description, given)
    for wrong in ("kind=gan", "height=x", "nonsense", "kindd=elu", {"kindd": "elu"}, {"height": 0}):
        with pytest.raises(libae.ArgumentError, match=r".{10}"):
            libae.Model.from_tensors(wrong, tensors)
    with pytest.raises(libae.ArgumentError, match="finite"):
        libae.Model.from_tensors(description, {**tensors, "decoder.1.bias": np.full(120, np.nan)})
    with pytest.raises(TypeError, match=r"decoder\.1\.bias: real numbers"):
        libae.Model.from_tensors(description, {**tensors, "decoder.1.bias": np.zeros(120, complex)})


def test_models_stored_as_int8_have_no_tensors(int8, decoder):
    with pytest.raises(libae.KindError):
        int8.tensors()
    assert list(decoder.tensors())[0] == "decoder.0.weight"


def test_quantizing_gives_what_training_gives(model, images):
    plain = libae.Model.from_tensors(model.description, model.tensors())
    with pytest.raises(libae.KindError):
        libae.compress(images, plain)
    fitted = plain.quantize(images)
    assert fitted.info.has_codec
    assert not plain.info.has_codec
    assert libae.compress(images, fitted) == libae.compress(images, plain.quantize(images.reshape(-1, 120)))
    assert libae.decompress(libae.compress(images, fitted), fitted).shape == images.shape
    # As Trainer.model does it, which fits to the same images.
    np.testing.assert_array_equal(fitted.encode(images), model.encode(images))
    with pytest.raises(TypeError, match="uint8"):
        plain.quantize(images / 255)
    with pytest.raises(libae.ShapeError):
        plain.quantize(images[:, :5])
    with pytest.raises(libae.ArgumentError):
        plain.quantize(images[:0])


def test_a_network_for_lossless_coding_needs_images_that_were_scanned(model, images):
    assert not model.info.has_lossless
    with pytest.raises(libae.KindError):
        model.fit_lossless(images, steps=10)
    with pytest.raises(libae.StoppedError):
        model.fit_lossless(images, progress=lambda done, count: False)
    with pytest.raises(KeyError, match="mine"):
        model.fit_lossless(images, progress=lambda done, count: {}["mine"])
    with pytest.raises(libae.KindError):
        libae.train(images, steps=1, hidden=(4,), codec=False).fit_lossless(images)


def test_qualities_tell_what_a_model_offers(model, images):
    qualities = model.qualities
    assert qualities == libae.qualities(model)
    assert [each.quality for each in qualities] == list(range(1, model.info.quality_count + 1))
    assert [each.quality for each in qualities if each.is_default] == [model.info.default_quality]
    assert {each.model_name for each in qualities} == {"strokes"}
    packed = libae.compress(images, model)
    assert packed == libae.compress(images, model, quality=model.info.default_quality)
    for each in qualities:
        if each.bytes_per_image is not None:
            got = len(libae.compress(images, model, quality=each.quality)) / len(images)
            assert got == pytest.approx(each.bytes_per_image, rel=0.5)
            assert 5 < each.psnr < 60
    assert libae.train(images, steps=1, hidden=(4,), codec=False).qualities == []


def test_the_models_that_come_with_libae_are_one_scale():
    scale = libae.qualities()
    assert [each.quality for each in scale] == list(range(1, len(scale) + 1))
    assert sum(each.is_default for each in scale) == 1
    assert {each.model_name for each in scale} == {
        libae.default_model(name).name for name in ("digits-low", "digits-high")
    }
    sizes = [each.bytes_per_image for each in scale if each.bytes_per_image is not None]
    assert sizes == sorted(sizes)
    assert libae.default_model().info.hash == libae.default_model("digits-high").info.hash
    assert libae.default_model("exact").info.has_lossless
    assert libae.default_model("mnist-30").latent_size == 30
    with pytest.raises(libae.ModelError, match="digits-high"):
        libae.default_model("letters")
    closed = libae.default_model()
    closed.close()
    libae.default_model().encode(np.zeros((28, 28), np.uint8))
