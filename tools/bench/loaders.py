"""Images a second into a training loop, and bytes on disk: the table of docs/pytorch.md.

usage: loaders.py [--images N] [--batch N] [--epochs N] [--workers N,N] [--sets NAME,...] [--formats WORD,...]
       loaders.py --orders

The same images and labels in each format, read by a shuffled DataLoader of PyTorch as float32 tensors
(C, H, W) in [0, 1]: by libae.torch.ImageSetDataset from an image set, from a folder of PNG files as
torchvision's ImageFolder reads it, from WebDataset's tar files of the same PNG files, from HDF5 by h5py, each
as its documentation has it. The loop takes batches and does nothing with them. The first epoch begins with
nothing decoded and, with workers, starts them; of the later ones it is the median. Without workers there is
processor time, too, which depends less on what else the machine does. Files have just been written, so that
they lie in the system's memory.

--orders prints what orders cost instead: 5,000 images of MNIST, lossy, in blocks of 100, read one by one with
one thread, in images a second of a processor, from caches of several sizes.

Needs torch, webdataset, h5py and a libae.so (LIBAE_LIBRARY); what is missing is named and left out. Sets:
AE_MNIST (the test images) and AE_IMAGES (CIFAR-10 photographs); what is not at hand is left out.
"""

import argparse
import gzip
import io
import os
import statistics
import sys
import tarfile
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bindings" / "python" / "src"), str(Path(__file__).parent)]
os.environ.setdefault("LIBAE_LIBRARY", str(ROOT / ".build" / "lib" / "libae.so"))
os.environ.setdefault("AE_MODEL_PATH", str(ROOT / "models"))

import libae  # noqa: E402
import libae.torch  # noqa: E402
import numpy as np  # noqa: E402
import sets  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from torch.utils.data import DataLoader, Dataset, TensorDataset  # noqa: E402

# Images of a tar file at most; of a small set a quarter, since each worker takes whole files.
SHARD = 500
# Images of a chunk of HDF5.
CHUNK = 100


# ---- Sets ----


def mnist():
    images = sets.mnist()
    path = sets.folder("AE_MNIST") / "t10k-labels-idx1-ubyte"
    if path.exists():
        data = path.read_bytes()
    else:
        data = gzip.decompress(path.with_name(f"{path.name}.gz").read_bytes())
    return images, np.frombuffer(data, np.uint8, offset=8)


def cifar():
    images = sets.part("cifar10")
    # The file has no labels; any will do to be read.
    return images, np.arange(len(images)) % 10


SETS = {
    "mnist": ("MNIST's test images, 28 x 28, grey", mnist),
    "cifar": ("CIFAR-10 photographs, 32 x 32, RGB", cifar),
}


# ---- Formats: each writes files into a folder, and makes a loader of them ----


def png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png")
    return file.getvalue()


def pixels(file, mode):
    """A PNG file as a tensor, as torchvision's ToTensor makes it."""
    with Image.open(file) as image:
        array = np.array(image.convert(mode))
    return as_tensor(array)


def as_tensor(array):
    tensor = torch.from_numpy(array)
    tensor = tensor[None] if tensor.dim() == 2 else tensor.permute(2, 0, 1).contiguous()
    return tensor.float().div_(255)


def loader_of(dataset, options, workers):
    return DataLoader(
        dataset, options.batch, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )


class AeFormat:
    def __init__(self, name, **options):
        self.name, self.options = name, options

    def write(self, folder, images, labels):
        libae.compress_file(folder / "set.aez", images, labels=labels, **self.options)

    def loader(self, folder, images, options, workers):
        return loader_of(libae.torch.ImageSetDataset(folder / "set.aez"), options, workers)


class Pictures(Dataset):
    """What torchvision's ImageFolder with ToTensor does, step by step, and no more."""

    def __init__(self, folder, mode):
        self.mode = mode
        self.classes = sorted(path.name for path in folder.iterdir())
        self.samples = [
            (str(path), label)
            for label, name in enumerate(self.classes)
            for path in sorted((folder / name).iterdir())
        ]

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        path, label = self.samples[index]
        with open(path, "rb") as file:
            return pixels(file, self.mode), label


class Folder:
    name = "folder of PNG files, by Pillow"

    def write(self, folder, images, labels):
        for label in np.unique(labels):
            (folder / str(label)).mkdir()
        for index, (image, label) in enumerate(zip(images, labels)):
            (folder / str(label) / f"{index:05}.png").write_bytes(png(image))

    def loader(self, folder, images, options, workers):
        return loader_of(Pictures(folder, "L" if images.ndim == 3 else "RGB"), options, workers)


class WebDataset:
    name = "WebDataset, tar files of PNG files"

    def write(self, folder, images, labels):
        shard = min(SHARD, -(-len(images) // 4))
        for first in range(0, len(images), shard):
            with tarfile.open(folder / f"{first // shard:03}.tar", "w") as file:
                for index in range(first, min(first + shard, len(images))):
                    parts = (("png", png(images[index])), ("cls", str(labels[index]).encode()))
                    for suffix, data in parts:
                        entry = tarfile.TarInfo(f"{index:05}.{suffix}")
                        entry.size = len(data)
                        file.addfile(entry, io.BytesIO(data))

    def loader(self, folder, images, options, workers):
        import webdataset

        mode = "L" if images.ndim == 3 else "RGB"

        def item(parts):
            return pixels(io.BytesIO(parts[0]), mode), int(parts[1])

        shards = sorted(map(str, folder.glob("*.tar")))
        dataset = webdataset.WebDataset(shards, shardshuffle=len(shards)).shuffle(SHARD)
        dataset = dataset.to_tuple("png", "cls").map(item).batched(options.batch)
        return DataLoader(dataset, None, num_workers=workers, persistent_workers=workers > 0)


class H5Items(Dataset):
    """Opened by each worker: a handle of HDF5 does not go through a fork."""

    def __init__(self, path):
        import h5py

        self.path, self.file = path, None
        with h5py.File(path) as file:
            self.labels = file["labels"][:].astype(np.int64)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        import h5py

        if self.file is None:
            # As much cache as an ImageSet has.
            self.file = h5py.File(self.path, rdcc_nbytes=64 << 20, rdcc_nslots=10_007)
            self.images = self.file["images"]
        return as_tensor(self.images[index]), self.labels[index]


class Hdf5:
    def __init__(self, name, **options):
        self.name, self.options = name, options

    def write(self, folder, images, labels):
        import h5py

        chunks = {"chunks": (CHUNK, *images.shape[1:])} if self.options else {}
        with h5py.File(folder / "set.h5", "w") as file:
            file.create_dataset("images", data=images, **chunks, **self.options)
            file.create_dataset("labels", data=labels)

    def loader(self, folder, images, options, workers):
        return loader_of(H5Items(folder / "set.h5"), options, workers)


class Memory:
    name = "float32 in memory, TensorDataset"

    def write(self, folder, images, labels):
        np.savez(folder / "set.npz", images=images, labels=labels)

    def loader(self, folder, images, options, workers):
        with np.load(folder / "set.npz") as file:
            given, labels = (
                torch.from_numpy(file["images"]),
                torch.from_numpy(file["labels"].astype(np.int64)),
            )
        given = given[:, None] if given.dim() == 3 else given.permute(0, 3, 1, 2).contiguous()
        return loader_of(TensorDataset(given.float().div_(255), labels), options, workers)


FORMATS = (
    AeFormat("libae, lossy (quality 8 of 14)"),
    AeFormat("libae, lossless", exact=True),
    AeFormat("libae, lossless, by contexts", exact=True, method="contexts"),
    Folder(),
    WebDataset(),
    Hdf5("HDF5, as it is"),
    Hdf5(f"HDF5, gzip, chunks of {CHUNK}", compression="gzip"),
    Memory(),
)


# ---- Measuring ----


def epoch(loader, count):
    """Images a second, and microseconds of this process's processors for an image."""
    start, busy = time.perf_counter(), time.process_time()
    seen = sum(len(labels) for _, labels in loader)
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    if seen != count:
        raise SystemExit(f"loaders: {seen} images came instead of {count}")
    return count / seconds, 1e6 * busy / count


def check(loader, images, most):
    """Ends the benchmark unless the images are those that were written, as their mean tells."""
    batches = [given for given, _ in loader]
    mean = float(torch.cat(batches).double().mean())
    expected = float(images.mean()) / 255
    if abs(mean - expected) > most:
        raise SystemExit(f"loaders: the images' mean is {mean:.5f} instead of {expected:.5f}")


def measured(form, images, labels, options):
    with tempfile.TemporaryDirectory(prefix="loaders-") as place:
        folder = Path(place)
        form.write(folder, images, labels)
        status = [path.stat() for path in folder.rglob("*") if path.is_file()]
        columns = [sum(each.st_size for each in status), sum(512 * each.st_blocks for each in status)]
        for workers in options.workers:
            loader = form.loader(folder, images, options, workers)
            first = epoch(loader, len(images))
            later = [epoch(loader, len(images)) for _ in range(options.epochs)]
            for number, one in enumerate(first if workers == 0 else first[:1]):
                columns += [one, statistics.median(each[number] for each in later)]
        check(loader, images, 0.02 if "lossy" in form.name else 1e-5)
        del loader
        return columns


def numbers(text):
    return [int(word) for word in text.split(",")]


def orders():
    """The table of orders: in order, in any, and by blocks, each in a first epoch and in a second."""
    images = sets.mnist()[:5000]
    packed = libae.compress(images, block_images=100)
    one = libae.Context(threads=1)
    print("| cache | in order | any order, first epoch | later | by blocks, first epoch | later |")
    print("|---" * 6 + "|", flush=True)
    for name, part in (("all of the set", 1.0), ("four fifths", 0.8), ("a quarter", 0.25)):
        columns = []
        for draw, epochs in (
            (lambda given, seed: np.arange(len(given)), 1),
            (lambda given, seed: np.random.default_rng(seed).permutation(len(given)), 2),
            (lambda given, seed: given.shuffled(seed), 2),
        ):
            with libae.ImageSet.open(packed, cache_bytes=int(part * images.nbytes), context=one) as given:
                for seed in range(epochs):
                    order = draw(given, seed).tolist()
                    start = time.process_time()
                    for place in order:
                        given[place]
                    columns.append(len(order) / (time.process_time() - start))
        print(f"| {name} | " + " | ".join(f"{column:,.0f}" for column in columns) + " |", flush=True)
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=10_000, help="of a set at most")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=5, help="later ones that are measured")
    parser.add_argument("--workers", type=numbers, default=[0, 2])
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--formats", default="", help="those whose names hold one of these words")
    parser.add_argument("--orders", action="store_true", help="print what orders cost instead")
    options = parser.parse_args()
    torch.manual_seed(1)
    if options.orders:
        return orders()
    words = [word.lower() for word in options.formats.split(",") if word]
    for name in options.sets.split(","):
        title, make = SETS[name]
        try:
            images, labels = make()
        except sets.Missing as error:
            print(f"{name}: left out, {error}", file=sys.stderr)
            continue
        images, labels = images[: options.images], labels[: options.images]
        print(f"{title}: {len(images):,} images, {images.nbytes:,} bytes of pixels\n")
        heads = []
        for count in options.workers:
            heads += [f"first epoch, {count} workers", "later"]
            if count == 0:
                heads += ["us of a processor, first epoch", "later"]
        print("| format | bytes | on disk | " + " | ".join(heads) + " |")
        print("|---" * (3 + len(heads)) + "|", flush=True)
        for form in FORMATS:
            lossy = isinstance(form, AeFormat) and not form.options
            if (lossy and images.ndim > 3) or (
                words and not any(word in form.name.lower() for word in words)
            ):
                continue
            try:
                columns = measured(form, images, labels, options)
            except ImportError as error:
                print(f"{form.name}: left out, {error}", file=sys.stderr)
                continue
            print(f"| {form.name} | " + " | ".join(f"{column:,.0f}" for column in columns) + " |", flush=True)
        print()
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{os.cpu_count()} processors, load {load} at the end; PyTorch {torch.__version__}")
    print(libae.build_info())


if __name__ == "__main__":
    main()
