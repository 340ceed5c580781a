"""Arrays of images in Zarr: size, writing, reading and single images, beside blosc and JPEG XL, as markdown.

usage: zarr_table.py [--sets NAME,...] [--codecs WORD,...] [--limit N] [--random N]   the sets of sets.py
       zarr_table.py --digits N [--codecs WORD,...] [--random N] [--dask]             N digits in one array

The digits are MNIST's 70,000 (training images, then test images), over and over: the k-th time, from 0, they
are moved by k % 5 - 2 columns and k // 5 % 3 - 1 rows, so that 1,050,000 digits are all different but for
their blank margins. With --dask, two worker processes with one thread each write and read the array, and make
one image set of it, if --codecs has `fast` or `lossy`.

It needs what the package's extras zarr and dask bring, imagecodecs, and Pillow.
"""

import argparse
import shutil
import statistics
import time
from pathlib import Path

import imagecodecs
import libae
import libae.numcodecs
import libae.zarr
import numcodecs
import numpy as np
import sets
import zarr
from bench import KEPT
from libae.zarr import LibaeCodec
from numcodecs.abc import Codec
from zarr.codecs import BloscCodec

PLACE = KEPT / "zarr"
CHUNK = 4096  # images
AT_ONCE = 8 * CHUNK  # that one assignment writes
NAMES = ("mnist", "fashion", "usps", "cifar-grey", "cifar-colour", "gtsrb-grey", "gtsrb-colour", "icons-16")


class Mosaic(Codec):
    """JPEG XL of a chunk as one picture, which makes it smaller than one frame for each image does."""

    codec_id = "mosaic-jpegxl"

    def __init__(self, shape, effort=None):
        self.shape, self.effort = tuple(shape), effort

    def encode(self, buf):
        picture = sets.mosaic(np.asarray(buf))
        return imagecodecs.jpegxl_encode(picture, lossless=True, effort=self.effort, numthreads=0)

    def decode(self, buf, out=None):
        count, height, width, *channels = self.shape
        picture = imagecodecs.jpegxl_decode(bytes(buf))
        across, down = picture.shape[1] // width, picture.shape[0] // height
        grid = picture.reshape(down, height, across, width, *channels).swapaxes(1, 2)
        return np.ascontiguousarray(grid.reshape(-1, height, width, *channels)[:count])


class Frames(Codec):
    """JPEG XL as imagecodecs' codec has it: a frame for each image."""

    codec_id = "frames-jpegxl"

    def encode(self, buf):
        return imagecodecs.jpegxl_encode(np.asarray(buf), lossless=True, numthreads=0)

    def decode(self, buf, out=None):
        return imagecodecs.jpegxl_decode(bytes(buf))


numcodecs.register_codec(Mosaic)
numcodecs.register_codec(Frames)


def blosc(shuffle):
    codec = BloscCodec(typesize=1, cname="zstd", clevel=5, shuffle=shuffle)
    return lambda chunks: {"compressors": codec}


def own(**options):
    return lambda chunks: {"serializer": LibaeCodec(**options), "compressors": None}


def format_2(make):
    return lambda chunks: {"zarr_format": 2, "compressors": make(chunks)}


# Name, word of --codecs, whether it is lossless, and what create_array takes.
CODECS = (
    ("blosc-zstd, shuffle", "shuffle", True, blosc("shuffle")),
    ("blosc-zstd, bitshuffle", "bitshuffle", True, blosc("bitshuffle")),
    ("JPEG XL, a frame an image", "frames", True, format_2(lambda chunks: Frames())),
    ("JPEG XL, a mosaic a chunk", "mosaic", True, format_2(Mosaic)),
    ("JPEG XL, the same at effort 9", "effort9", True, format_2(lambda chunks: Mosaic(chunks, 9))),
    ("libae, `priority=\"speed\"`", "fast", True, own(priority="speed")),
    ("libae, its default", "default", True, own()),
    ("libae, `block_images=500`", "block500", True, own(block_images=500)),
    ("libae, `quality=8`", "lossy", False, own(quality=8)),
)  # fmt: skip
USUAL = ("shuffle", "bitshuffle", "frames", "mosaic", "effort9", "fast", "default")


clock = time.perf_counter


def created(name, shape, arguments):
    folder = PLACE / name
    shutil.rmtree(folder, ignore_errors=True)
    chunks = (min(CHUNK, shape[0]), *shape[1:])
    return zarr.create_array(
        folder, shape=shape, chunks=chunks, dtype="uint8", fill_value=0, **arguments(chunks)
    )


def timed(call):
    started = clock()
    result = call()
    return result, clock() - started


def single(array, images_at, count, lossless, most=120):
    """Seconds for one image at random, median and mean, and how many were read, in `most` seconds."""
    places = np.random.default_rng(1).integers(0, array.shape[0], count)
    spent = []
    for place in places:
        image, seconds = timed(lambda place=place: array[int(place)])
        spent.append(seconds)
        if lossless and not np.array_equal(image, images_at(int(place))):
            raise SystemExit(f"zarr_table: image {place} came back wrong")
        if sum(spent) > most:
            break
    return statistics.median(spent), statistics.mean(spent), len(spent)


def stored_bytes(array):
    folder = Path(array.store.root)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measured(name, shape, parts, images_at, lossless, arguments, randoms):
    """Bytes, seconds of writing and of reading, and of single images."""
    array = created(name, shape, arguments)
    written = read = 0.0
    for first, images in parts():
        written += timed(
            lambda first=first, images=images: array.__setitem__(slice(first, first + len(images)), images)
        )[1]
    array = zarr.open_array(PLACE / name, mode="r")
    for first, images in parts():
        back, seconds = timed(lambda first=first, images=images: array[first : first + len(images)])
        read += seconds
        if lossless and not np.array_equal(back, images):
            raise SystemExit(f"zarr_table: {name} does not give {first} and what follows back")
    return stored_bytes(array), written, read, single(array, images_at, randoms, lossless)


HEAD = "codec | bytes an image | of raw | writing, MB/s | reading, MB/s | one image, ms (median; mean)"


def row(name, size, written, read, one, shape):
    count, raw = shape[0], int(np.prod(shape))
    median, mean, taken = one
    note = f" of {taken}"
    return (
        f"| {name} | {size / count:.2f} | {100 * size / raw:.1f} % | {raw / written / 1e6:.1f} | "
        f"{raw / read / 1e6:.1f} | {1e3 * median:.1f}; {1e3 * mean:.1f}{note} |"
    )


def table(title, shape, parts, images_at, chosen, randoms):
    sides = " x ".join(map(str, shape[1:]))
    print(f"\n{title}: {shape[0]:,} of {sides}, chunks of {min(CHUNK, shape[0]):,}\n")
    print(f"| {HEAD} |\n| --- | --: | --: | --: | --: | --: |", flush=True)
    for name, word, lossless, arguments in CODECS:
        if word in chosen:
            found = measured(word, shape, parts, images_at, lossless, arguments, randoms)
            print(row(name, *found, shape), flush=True)
    shutil.rmtree(PLACE, ignore_errors=True)


def all_digits():
    return np.concatenate([sets.mnist("train"), sets.mnist("t10k")])


def digits_at(digits, first, count):
    """Digits `first` to `first + count - 1`, by the rule above."""
    out = np.empty((count, *digits.shape[1:]), np.uint8)
    done = 0
    while done < count:
        turn, place = divmod(first + done, len(digits))
        part = digits[place : place + count - done]
        out[done : done + len(part)] = np.roll(part, (turn // 5 % 3 - 1, turn % 5 - 2), axis=(1, 2))
        done += len(part)
    return out


def drawn_block(digits, block_info=None):
    (first, last), *_ = block_info[None]["array-location"]
    return digits_at(digits, first, last - first)


def on_dask(digits, count, chosen):
    """Writing and reading with two workers, which make their digits themselves."""
    import dask
    import dask.array
    import libae.dask
    from distributed import Client, LocalCluster

    shape = (count, *digits.shape[1:])
    chunks = (CHUNK, *digits.shape[1:])
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        # Once to each worker; what they compute is a chunk of the array.
        client.run(libae.set_threads, 1)
        client.run(zarr.config.set, {"async.concurrency": 1})
        whole = client.scatter(digits, broadcast=True)
        sizes = tuple(min(CHUNK, count - first) for first in range(0, count, CHUNK))
        images = dask.array.map_blocks(
            drawn_block, digits=whole, chunks=(sizes, *((side,) for side in shape[1:])), dtype=np.uint8,
            meta=np.empty((0, 0, 0), np.uint8),
        )  # fmt: skip
        print(f"\n{count:,} digits on Dask, two workers with one thread each, chunks of {CHUNK:,}")
        print("(writing includes drawing them)\n")
        print(
            "| what | bytes an image | writing, MB/s | reading, MB/s |\n| --- | --: | --: | --: |", flush=True
        )
        raw = int(np.prod(shape))
        for name, word, _, arguments in CODECS:
            if word not in chosen or word in ("frames", "mosaic", "effort9"):
                continue
            array = zarr.create_array(
                PLACE / f"dask-{word}",
                shape=shape,
                chunks=chunks,
                dtype="uint8",
                overwrite=True,
                **arguments(chunks),
            )
            _, written = timed(lambda array=array: dask.array.store(images, array, lock=False))
            lazy = dask.array.from_zarr(PLACE / f"dask-{word}")
            _, read = timed(lambda lazy=lazy: lazy.sum(dtype=np.int64).compute())
            rates = f"{raw / written / 1e6:.1f} | {raw / read / 1e6:.1f}"
            print(f"| {name} | {stored_bytes(array) / count:.2f} | {rates} |", flush=True)
        out = PLACE / "set.aez"
        for name, word, given in (
            ("exact, fast", "fast", {"exact": True, "priority": "speed"}),
            ("quality 8", "lossy", {"quality": 8}),
        ):
            if word not in chosen:
                continue
            _, written = timed(lambda given=given: libae.dask.compress(images, out, **given))
            lazy = libae.dask.from_imageset(out)
            _, read = timed(lambda lazy=lazy: lazy.sum(dtype=np.int64).compute())
            rates = f"{raw / written / 1e6:.1f} | {raw / read / 1e6:.1f}"
            print(f"| one image set, {name} | {out.stat().st_size / count:.2f} | {rates} |", flush=True)
    shutil.rmtree(PLACE, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=lambda text: text.split(","), default=NAMES)
    parser.add_argument("--codecs", type=lambda text: text.split(","), default=USUAL)
    parser.add_argument("--limit", type=int, help="images of a set, at most")
    parser.add_argument("--random", type=int, default=100, help="single images that are read")
    parser.add_argument("--digits", type=int, help="so many digits instead of the sets")
    parser.add_argument("--dask", action="store_true", help="on two workers, too")
    parser.add_argument(
        "--processor",
        action="store_true",
        help="count the processor's seconds, of all threads, not the clock's",
    )
    options = parser.parse_args()
    if options.processor:
        if options.dask:
            raise SystemExit(
                "zarr_table: --processor counts this process's seconds, not those of Dask's workers"
            )
        global clock
        clock = time.process_time
    PLACE.mkdir(parents=True, exist_ok=True)
    versions = [f"{each.__name__} {each.__version__}" for each in (zarr, numcodecs, imagecodecs)]
    counted = "seconds of one processor" if options.processor else "seconds of the clock"
    print(", ".join([*versions, libae.build_info(), counted]))
    if options.digits:
        digits = all_digits()
        shape = (options.digits, *digits.shape[1:])

        def parts():
            for first in range(0, options.digits, AT_ONCE):
                yield first, digits_at(digits, first, min(AT_ONCE, options.digits - first))

        if options.dask:
            on_dask(digits, options.digits, options.codecs)
        else:
            at = lambda place: digits_at(digits, place, 1)[0]  # noqa: E731
            table("MNIST's digits, moved", shape, parts, at, options.codecs, options.random)
        return
    for each in sets.SETS:
        if each.name not in options.sets:
            continue
        try:
            images = each.images[: options.limit]
        except sets.Missing as error:
            print(f"\n{each.what}: left out: {error}")
            continue
        table(
            each.what, images.shape, lambda images=images: [(0, images)], images.__getitem__, options.codecs,
            options.random,
        )  # fmt: skip


if __name__ == "__main__":
    main()
