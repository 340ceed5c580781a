r"""Damaged image sets at large: single flipped bits and truncations, by the thousand, through libae.so.

Every damaged file must be refused, or give back every image but those that ae_imageset_salvage names as lost,
and these must be of the block that was hit. Never a wrong pixel without a word, never a crash.

usage: LIBAE_LIBRARY=.build/lib/libae.so AE_MODEL_PATH=models \
       PYTHONPATH=bindings/python/src python Tests/damage.py [FLIPS [CUTS]]
"""

import sys
from pathlib import Path

import libae
import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def digits(count: int) -> np.ndarray:
    """Strokes on black, which compress as digits do."""
    rng = np.random.default_rng(1)
    images = np.zeros((count, 28, 28), np.uint8)
    for image in images:
        y, x = rng.integers(4, 24, 2)
        for _ in range(60):
            y, x = np.clip([y + rng.integers(-1, 2), x + rng.integers(-1, 2)], 2, 25)
            image[y, x] = rng.integers(128, 256)
    return images


def sets(images: np.ndarray) -> dict[str, tuple[bytes, libae.Model | None]]:
    """Files by name, with the model that reading them takes if it is not the default one."""
    labels = np.arange(len(images)) % 10
    scans = libae.Model.open(ROOT / "models/exact.aew")
    small = libae.Model.open(ROOT / "Tests/golden/scans-28.aew")
    usual = libae.default_model()
    drawn = libae.decompress((ROOT / "Tests/golden/exact-scans.aez").read_bytes(), small)
    # Digits that were drawn from scans, strokes that were not, and noise, in every block.
    noise = np.random.default_rng(2).integers(0, 256, (8, 28, 28), np.uint8)
    mixed = np.concatenate([np.tile(drawn, (4, 1, 1)), images[:32], noise])
    mixed = mixed[np.random.default_rng(3).permutation(len(mixed))]
    return {
        "codes": (libae.compress(images, usual, block_images=32), None),
        "codes, embedded, labels": (
            libae.compress(images[:64], usual, block_images=16, labels=labels[:64], embed_model=True),
            None,
        ),
        "lossless": (libae.compress(images, mode="lossless", block_images=32, labels=labels), None),
        "lossless, scans": (libae.compress(mixed, scans, mode="lossless", block_images=16), scans),
        "near-lossless": (libae.compress(images, max_error=4, block_images=50), None),
        "near-lossless, scans": (libae.compress(mixed, scans, max_error=4, block_images=16), scans),
    }


def check(data: bytes, model: libae.Model | None, whole: np.ndarray, hit: int) -> str:
    """Opens a damaged file and says what came of it; raises if a pixel is wrong without a word."""
    try:
        opened = libae.ImageSet.open(data, model)
    except libae.Error:
        return "refused"
    with opened:
        back, lost = opened.salvage()
        assert back.shape == whole.shape, f"byte {hit}: {back.shape}"
        assert not back[lost].any(), f"byte {hit}: a lost image is not black"
        assert (back[~lost] == whole[~lost]).all(), f"byte {hit}: a wrong pixel without a word"
        block = opened.info.block_images
        assert lost.sum() in (0, block, len(lost) % block), f"byte {hit}: {lost.sum()} images lost"
        if lost.any():
            first = int(np.argmax(lost))
            assert first % block == 0, f"byte {hit}: not a block"
            assert lost[first : first + block].all(), f"byte {hit}: not a block"
            try:
                opened[first]
                raise AssertionError(f"byte {hit}: a lost image was read")
            except libae.Error:
                return "salvaged"
        try:
            _ = opened.labels
        except libae.Error:
            return "labels refused"
        # Only an embedded model that another one stands in for may be damaged and cost nothing.
        assert opened.info.has_model, f"byte {hit}: damage that nobody saw"
        return "model replaced"


def run(what: str, times: int, seed: int = 7, tell: bool = False) -> int:
    """Damages each file so many times; returns how many damaged files were looked at."""
    rng = np.random.default_rng(seed)
    done = 0
    for name, (data, model) in sets(digits(200)).items():
        whole = libae.decompress(data, model)
        results: dict[str, int] = {}
        for _ in range(times):
            at = int(rng.integers(len(data)))
            bad = bytearray(data)
            if what == "flip":
                bad[at] ^= 1 << int(rng.integers(8))
            result = check(bytes(bad if what == "flip" else bad[:at]), model, whole, at)
            results[result] = results.get(result, 0) + 1
            done += 1
        if tell:
            told = ", ".join(f"{count} {result}" for result, count in sorted(results.items()))
            print(f"{name} ({len(data)} bytes), {what}: {told}")
    return done


def main() -> None:
    flips, cuts = (int(text) for text in [*sys.argv[1:], "10000", "1000"][:2])
    for what, times in (("flip", flips), ("cut", cuts)):
        print(f"{run(what, -(-times // 6), tell=True)} files")


if __name__ == "__main__":
    main()
