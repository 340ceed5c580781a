"""The integer fit that the library makes: how near it comes to the floats, and that a poor one is told of."""

import libae
import numpy as np
import pytest
import strokes


def psnr(model: libae.Model, images: np.ndarray) -> float:
    rebuilt = model.decode(model.encode(images), dtype=np.uint8)
    error = (rebuilt.reshape(images.shape).astype(np.float64) - images) ** 2
    return float(10 * np.log10(255**2 / error.mean()))


@pytest.mark.parametrize(
    ("kind", "hidden", "steps"),
    [
        ("relu", (64,), 800),
        ("elu", (64, 64), 800),
        ("sigmoid", (64,), 800),
        ("vae", (64,), 800),
        ("conv-vae", (8, 16, 32), 150),
    ],
)
def test_integers_come_near_the_floats(kind, hidden, steps):
    images = strokes.draw(600, 16, 16, seed=5)
    model = libae.train(
        images, kind=kind, latent_size=8, hidden=hidden, steps=steps, learning_rate=3e-3, seed=2
    )
    integers = libae.Model.open(model.to_bytes("int8"))
    unseen = strokes.draw(300, 16, 16, seed=6)
    floats, fitted = psnr(model, unseen), psnr(integers, unseen)
    assert floats > 20, "the network has learned nothing, and the comparison says nothing"
    assert fitted > floats - 0.1
