"""What may stand for an array of images, codes or bytes, and what is refused with a reason."""

import array
import os
import signal

import libae
import numpy as np
import pytest
from libae import _library


def unaligned(given):
    """The same values, one byte off."""
    room = np.empty(given.nbytes + 1, np.uint8)
    there = room[1:].view(given.dtype).reshape(given.shape)
    there[...] = given
    assert given.itemsize == 1 or not there.flags.aligned
    return there


class Interface:
    """Has numpy's interface and nothing else."""

    def __init__(self, held):
        self.held = held
        self.__array_interface__ = held.__array_interface__


class Converts:
    """Has __array__ and nothing else."""

    def __init__(self, held):
        self.held = held

    def __array__(self, dtype=None, copy=None):
        return self.held


class Exchange:
    """Has __dlpack__ and nothing else."""

    def __init__(self, held):
        self.held = held

    def __dlpack__(self, **options):
        return self.held.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.held.__dlpack_device__()


def forms(given):
    """The same values in every guise that an array may have."""
    yield "unaligned", unaligned(given)
    yield "Fortran order", np.asfortranarray(given)
    yield "steps", np.repeat(given, 2, axis=0)[::2]
    yield "backwards", given[::-1, ::-1].copy()[::-1, ::-1]
    yield "swapped bytes", given.astype(given.dtype.newbyteorder())
    frozen = given.copy()
    frozen.setflags(write=False)
    yield "read-only", frozen
    yield "a subclass", given.view(type("Sub", (np.ndarray,), {}))
    yield "masked, nothing masked", np.ma.masked_array(given)
    yield (
        "nested lists",
        given.tolist()
        if given.dtype.kind == "f"
        else [list(map(np.uint8, row)) for row in given.reshape(len(given), -1)],
    )
    yield "memoryview", memoryview(given)
    yield "an interface", Interface(given)
    yield "__array__", Converts(given)
    if hasattr(np, "from_dlpack"):
        yield "__dlpack__", Exchange(given.copy())


def test_the_same_values_encode_alike_however_they_lie(model, images):
    small = images[:6]
    for given in (small, small.astype(np.float32) / 255, small.astype(np.float64) / 255):
        expected = model.encode(given)
        for name, form in forms(given):
            np.testing.assert_array_equal(model.encode(form), expected, err_msg=f"{name}, {given.dtype}")


def test_the_same_codes_decode_alike_however_they_lie(model, images):
    codes = model.encode(images[:6])
    expected = model.decode(codes)
    for name, form in forms(codes):
        np.testing.assert_array_equal(model.decode(form), expected, err_msg=name)


def test_the_same_bytes_compress_and_train_alike_however_they_lie(model, images):
    small = images[:6]
    expected = libae.compress(small, model)
    step = libae.Trainer((12, 10), hidden=(4,)).step(small).loss
    for name, form in forms(small):
        assert libae.compress(form, model) == expected, name
        assert libae.Trainer((12, 10), hidden=(4,)).step(form).loss == step, name
    weights = libae.train(small, steps=2, hidden=(4,), codec=False).to_bytes()
    again = libae.train(np.asfortranarray(small), steps=2, hidden=(4,), codec=False).to_bytes()
    assert again == weights


def test_buffers_are_flat_images(model, images):
    expected = model.encode(images[0])
    flat = images[0].tobytes()
    for form in (flat, bytearray(flat), memoryview(flat), array.array("B", flat)):
        np.testing.assert_array_equal(model.encode(form), expected)
        assert libae.compress(form, model) == libae.compress(images[:1], model)
    floats = array.array("f", (images[0] / np.float32(255)).ravel().tolist())
    np.testing.assert_array_equal(model.encode(floats), model.encode(images[0] / np.float32(255)))


def test_other_precisions_and_booleans_are_converted(model, images):
    unit = images[:5] / 255
    for dtype in (np.float16, np.float64, np.longdouble):
        np.testing.assert_array_equal(
            model.encode(unit.astype(dtype)), model.encode(unit.astype(dtype).astype(np.float32))
        )
    np.testing.assert_array_equal(model.encode(unit > 0.5), model.encode((unit > 0.5).astype(np.float32)))


def test_none_at_all_is_none_at_all(model):
    for form in (np.empty((0, 12, 10), np.uint8), np.empty((0, 120), np.float32), np.empty((3, 0, 12, 10))):
        assert model.encode(form).shape == (*form.shape[: form.ndim - (1 if form.shape[-1] == 120 else 2)], 6)
    assert model.decode(np.empty((0, 6))).shape == (0, 12, 10)


class Tensor:
    """As a tensor that records gradients refuses."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError(
            "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
        )


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (None, TypeError, "object"),
        ("text", TypeError, "came"),
        (0.25, ValueError, r"\(\) came"),
        (np.float32(0.5), ValueError, r"\(\) came"),
        ([[0.0, 1.0], [0.5]], ValueError, "cannot be read as an array"),
        (np.zeros((2, 12, 10), complex), TypeError, "complex128"),
        (np.zeros((2, 12, 10), np.int64), TypeError, "astype"),
        (np.zeros((2, 12, 10), "M8[s]"), TypeError, "datetime64"),
        (np.zeros((2, 12, 10), [("a", "u1")]), TypeError, "came"),
        (np.ma.masked_equal(np.zeros((2, 12, 10), np.uint8), 0), TypeError, "masked"),
        (Tensor(), TypeError, "detach"),
    ],
)
def test_what_is_no_array_of_images_is_refused_with_a_reason(model, given, kind, words):
    for call in (model.encode, model.decode if kind is ValueError else model.encode):
        with pytest.raises(kind, match=words) as caught:
            call(given)
        assert "\n" not in str(caught.value)
    trainer = libae.Trainer((12, 10), hidden=(4,))
    for call in (trainer.fit, lambda images: libae.compress(images, model)):
        with pytest.raises((TypeError, ValueError)):
            call(given)


@pytest.mark.parametrize(
    ("scale", "shift", "advice"),
    [
        (255, 0, "/ 255"),
        (1.01, 0, "/ 255"),
        (2, -1, "normalised"),
        (1, -0.1, "normalised"),
        (65535, 0, "normalised"),
    ],
)
def test_floats_of_another_scale_are_refused_with_advice(model, vae, images, scale, shift, advice):
    unit = (images[:9] / 255).astype(np.float32)
    unit[0, 0, :2] = 0, 1
    given = unit * np.float32(scale) + np.float32(shift)
    calls = (model.encode, vae.encode, vae.posterior, libae.Trainer((12, 10), hidden=(4,)).step)
    for call in calls:
        with pytest.raises(libae.ArgumentError, match=r"\[0, 1\] expected, .* came; .*" + advice):
            call(given)
        call(unit)
        # What rounding and interpolation leave is no other scale.
        call(unit * np.float32(1.0005))
        call(unit - np.float32(0.0005))
    for call in (lambda images: libae.compress(images, model), libae.train):
        with pytest.raises(TypeError, match=r"255.*astype"):
            call(given)


def test_outputs_are_checked_before_they_are_written(model, images):
    good = np.empty((5, 6), np.float32)
    assert model.encode(images[:5], out=good) is good
    frozen = good.copy()
    frozen.setflags(write=False)
    for out in (
        unaligned(good),
        np.asfortranarray(good),
        good[::-1],
        np.empty((10, 6), np.float32)[::2],
        frozen,
        good.astype(good.dtype.newbyteorder()),
        good.astype(np.float64),
        np.empty((6, 5), np.float32),
        np.empty(30, np.float32),
        good.tolist(),
        memoryview(good),
    ):
        with pytest.raises((TypeError, ValueError), match="^out: "):
            model.encode(images[:5], out=out)
    codes = np.zeros((100, 120), np.float32)
    with pytest.raises(ValueError, match="overlap"):
        model.encode(codes, out=codes.reshape(-1)[:600].reshape(100, 6))


COLOURS = [
    (9, 28, 28, 3),
    (9, 28, 28, 4),
    (9, 3, 28, 28),
    (9, 4, 28, 28),
    (28, 28, 3),
    (32, 32, 4),
    (9, 32, 32, 3),
]


@pytest.mark.parametrize("shape", COLOURS)
def test_colour_is_refused_and_never_taken_for_more_images(shape):
    given = np.zeros(shape, np.uint8)
    digits = libae.default_model()
    for call in (
        lambda: libae.compress(given),
        lambda: libae.compress(given, digits),
        lambda: libae.compress(given, image_shape=(28, 28)),
        lambda: libae.compress(given, exact=True, image_shape=(28, 28)),
        lambda: libae.train(given, steps=1, image_shape=(28, 28)),
        lambda: libae.Trainer().fit(given),
        lambda: libae.Trainer().step(given),
    ):
        with pytest.raises(
            libae.ShapeError, match=r"looks like colour, [34] channels.*convert.*mean|expected"
        ):
            call()
    # What lossless sets and new models take has its channels last, and four axes.
    if shape[-1] in (3, 4) and len(shape) == 4:
        assert libae.decompress(libae.compress(given, exact=True)).shape == shape
    else:
        for options in ({"exact": True}, {"max_error": 2}):
            with pytest.raises(libae.ShapeError, match=r"looks like colour.*\(N, H, W, C\)"):
                libae.compress(given, **options)
        with pytest.raises(libae.ShapeError, match=r"looks like colour.*\(N, H, W, C\)"):
            libae.train(given, steps=1)


def test_other_leading_axes_are_not_guessed_at():
    for shape in ((2, 5, 30, 20), (9, 30, 20, 2), (2, 2, 2, 30, 20), (30,), ()):
        with pytest.raises(libae.ShapeError, match=r"\(N, H, W\)"):
            libae.compress(np.zeros(shape, np.uint8), exact=True)
        with pytest.raises(libae.ShapeError, match=r"\(N, H, W\)"):
            libae.train(np.zeros(shape, np.uint8), steps=1)
    # A size that is known says which axes are the image's.
    digits = np.zeros((2, 5, 28, 28), np.uint8)
    assert libae.decompress(libae.compress(digits)).shape == (10, 28, 28)
    assert libae.decompress(libae.compress(digits, exact=True)).shape == (10, 28, 28)


def test_one_channel_is_grey(model, images):
    small = images[:7]
    expected, packed = model.encode(small), libae.compress(small, exact=True)
    weights = libae.train(small, steps=2, hidden=(4,), codec=False).to_bytes()
    for form in (small[..., None], small[:, None]):
        assert libae.compress(form, model) == libae.compress(small, model)
        assert libae.compress(form, exact=True) == packed
        assert libae.train(form, steps=2, hidden=(4,), codec=False).to_bytes() == weights
        libae.Trainer((12, 10), hidden=(4,)).step(form)
    np.testing.assert_array_equal(model.encode(small[..., None]), expected)
    np.testing.assert_array_equal(model.encode(small[:, None])[:, 0], expected)
    assert libae.decompress(libae.compress(small[0], exact=True)).shape == (1, 12, 10)


def test_many_images_are_the_same_as_few_at_a_time(model, images, vae):
    many = np.resize(images, (40001, 12, 10))
    np.testing.assert_array_equal(model.encode(many), np.resize(model.encode(images), (40001, 6)))
    mean, log_variance = vae.posterior(many[:20001])
    np.testing.assert_array_equal(mean[:700], vae.posterior(images)[0])
    np.testing.assert_array_equal(log_variance[-1], vae.posterior(many[20000])[1])
    codes = np.resize(model.encode(images), (20001, 6))
    np.testing.assert_array_equal(model.decode(codes)[19999:], model.decode(codes[19999:]))


def test_control_c_is_heard_between_the_parts_of_a_long_call(model, images, monkeypatch):
    many = np.resize(images, (100_000, 12, 10))
    encode, counts = _library.lib.ae_encode_u8, []

    def interrupted(context, handle, source, count, target):
        counts.append(count)
        if len(counts) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return encode(context, handle, source, count, target)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(_library.lib, "ae_encode_u8", interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            model.encode(many)
    finally:
        signal.signal(signal.SIGINT, before)
    assert counts == [16384, 16384]
