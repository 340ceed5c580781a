"""Predictors of pixels: training them, what they say of themselves, and what is refused."""

import copy

import libae
import numpy as np
import pytest

FEW = {"steps": 4, "batch_size": 128, "hidden": (6, 5)}


def gradients(count, *shape):
    """Soft ramps with a little noise."""
    random = np.random.default_rng(count)
    ramp = np.add.outer(np.arange(shape[0]), np.arange(shape[1])) * 5
    ramp = ramp.reshape(*shape[:2], *[1] * (len(shape) - 2))
    offset = random.integers(0, 60, (count, *[1] * len(shape)))
    return np.clip(ramp + offset + random.integers(0, 3, (count, *shape)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 1), (6, 8, 3), (8, 6, 4)])
def test_a_predictor_is_measured_and_has_no_size(shape):
    told = []
    model = libae.train_predictor(gradients(60, *shape), progress=lambda *each: told.append(each), **FEW)
    assert told == [(step, 4) for step in range(1, 5)]
    assert model.has_predictor
    assert model.info.kind == "predictor"
    assert model.info.storage == "int8"
    assert model.image_shape == (0, 0)
    assert model.latent_size == 0
    assert model.info.quality_count == 0
    report = model.predictor_report
    assert report.held_out_count == 4
    assert all(0 < bits < 17 for bits in (report.contexts_bits, report.float_bits, report.integer_bits))
    assert 0 < report.coded_bits < 17
    for again in (libae.Model.open(model.to_bytes()), copy.copy(model)):
        assert again.has_predictor
        assert again.predictor_report is None


def test_the_same_images_and_options_give_the_same_predictor():
    images = gradients(40, 8, 8)
    reports = [
        libae.train_predictor(images, context=libae.Context(threads=count), **FEW).predictor_report
        for count in (1, 2)
    ]
    assert reports[0] == reports[1]
    assert libae.train_predictor(images, seed=2, **FEW).predictor_report != reports[0]


def test_training_pays_and_starts_from_another():
    images = gradients(200, 10, 10)
    first = libae.train_predictor(images, steps=150, batch_size=512, hidden=(16,))
    second = libae.train_predictor(images, steps=1, batch_size=512, start=first, learning_rate=1e-9)
    assert first.predictor_report.integer_bits < 5
    told = second.predictor_report.integer_bits
    assert told == pytest.approx(first.predictor_report.integer_bits, rel=0.02)


def test_what_is_refused():
    images = gradients(10, 6, 6)
    with pytest.raises(libae.StoppedError):
        libae.train_predictor(images, progress=lambda done, count: False, **FEW)
    with pytest.raises(KeyError, match="mine"):
        libae.train_predictor(images, progress=lambda done, count: {}["mine"], **FEW)
    with pytest.raises(libae.ArgumentError):
        libae.train_predictor(images[:0], **FEW)
    with pytest.raises(TypeError, match="uint8"):
        libae.train_predictor(images / 255, **FEW)
    with pytest.raises(libae.ArgumentError, match="hidden"):
        libae.train_predictor(images, steps=1, hidden=(1, 1, 1, 1, 1))
    plain = libae.train(images, steps=1, hidden=(4,), latent_size=2, codec=False)
    assert not plain.has_predictor
    assert plain.predictor_report is None
    with pytest.raises(libae.KindError):
        libae.train_predictor(images, start=plain, **FEW)
    made = libae.train_predictor(images, **FEW)
    with pytest.raises(libae.KindError, match="predictor"):
        made.quantize(images)
