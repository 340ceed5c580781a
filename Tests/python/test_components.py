"""Principal components beside numpy's SVD, on random sets of any rank. It is its own file because it can also
be run by hand, on more sets, and then says how near they came:

    python Tests/python/test_components.py 1000
"""

import sys

import libae
import numpy as np

# Weights are float32.
TOLERANCE = 2e-6


def random_set(seed):
    """Images of rank 0 to full: few or many, with duplicates, binary, or constant in most pixels."""
    random = np.random.default_rng(seed)
    height, width = random.integers(1, 9, 2)
    pixels = height * width
    count = random.integers(1, pixels + 1) if seed % 2 else random.integers(1, 200)
    rank = 0 if seed % 20 == 0 else random.integers(0, min(count, pixels) + 1)
    strengths = 60 * np.exp(-3 * random.random((rank, 1)))
    values = 100 + random.standard_normal((count, rank)) @ (
        strengths * random.standard_normal((rank, pixels))
    )
    images = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    if seed % 5 == 1:
        images = np.where(images > 100, 255, 0).astype(np.uint8)
    if seed % 5 == 2:
        images[:, random.random(pixels) < 0.7] = random.integers(0, 256)
    if seed % 5 == 3:
        images = images[random.integers(0, count, count)]
    return images.reshape(count, height, width)


def fitted(images, components):
    """The encoder's matrix, as the library gives it: it is affine, so black and single pixels tell."""
    count, height, width = images.shape
    trainer = libae.Trainer((height, width), kind="pca", latent_size=components)
    trainer.fit(images)
    model = trainer.model()
    probes = np.concatenate([np.zeros((1, height * width)), np.eye(height * width)]).astype(np.float32)
    codes = model.encode(probes.reshape(-1, height, width)).astype(np.float64)
    return (codes[1:] - codes[0]).T


def compare(seed):
    """The largest sine of an angle between leading subspaces that a gap ends; the largest error of singular
    values and reconstructions, beside the largest; how far the rows are from orthonormal; the rank."""
    images = random_set(seed)
    flat = images.reshape(len(images), -1).astype(np.float64) / 255
    centred = flat - flat.mean(axis=0)
    _, values, axes = np.linalg.svd(centred, full_matrices=True)
    values = np.concatenate([values, np.zeros(flat.shape[1] - len(values))])
    # Equal images have what rounding of their mean leaves.
    largest = max(values[0], 1 / 255)
    components = fitted(images, flat.shape[1])
    skew = np.abs(components @ components.T - np.eye(len(components))).max()
    error = np.abs(np.linalg.norm(centred @ components.T, axis=0) - values).max() / largest
    angle = 0.0
    for k in np.flatnonzero(values[:-1] - values[1:] > 1e-2 * largest) + 1:
        outside = axes[:k] - (axes[:k] @ components[:k].T) @ components[:k]
        angle = max(angle, np.linalg.norm(outside, 2))
        kept = centred @ components[:k].T @ components[:k]
        best = centred @ axes[:k].T @ axes[:k]
        error = max(error, np.linalg.norm(kept - best, 2) / largest)
    return angle, error, skew, int((values > 1e-9 * largest).sum() if values[0] > 1e-9 else 0)


def test_components_span_what_the_svd_gives():
    ranks = set()
    for seed in range(200):
        angle, error, skew, rank = compare(seed)
        # An angle is the error over the gap.
        assert angle < 100 * TOLERANCE, f"seed {seed}: angle {angle}"
        assert error < TOLERANCE, f"seed {seed}: error {error}"
        assert skew < TOLERANCE, f"seed {seed}: orthonormal to {skew}"
        ranks.add(rank)
    assert 0 in ranks
    assert max(ranks) > 20


def test_sets_of_rank_0_train_compress_and_come_back():
    for count in (1, 2, 30):
        for level in (0, 90, 255):
            images = np.full((count, 12, 10), level, np.uint8)
            model = libae.train(images, kind="pca", latent_size=16)
            packed = libae.compress(images, model)
            assert np.abs(libae.decompress(packed, model).astype(int) - level).max() <= 1
            assert np.abs(model.decode(model.encode(images), dtype=np.uint8).astype(int) - level).max() <= 1


if __name__ == "__main__":
    sets = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    results = np.array([compare(seed) for seed in range(sets)])
    angle, error, skew, _ = results.max(axis=0)
    print(
        f"{sets} sets of rank {results[:, 3].min():.0f} to {results[:, 3].max():.0f}: angle {angle:.2e}, "
        f"error of singular values and reconstructions {error:.2e} of the largest, orthonormal to {skew:.2e}"
    )
