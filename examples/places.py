"""Ray Data and Spark: images to latent codes on many machines, and to shards that make one image set.

    pip install 'ray[data]'         python places.py ray
    pip install pyspark             python places.py spark        # takes a Java, such as default-jre-headless

It draws blobs, trains a small model of them, runs the recipes of docs/dask.md on two workers of this machine,
and compares what they give with what one call gives.
"""

import os
import sys
import tempfile

import libae
import numpy as np
import pandas


def blobs(first, count):
    """Images `first` to `first + count - 1` of a set that has no end: (count, 28, 28) uint8."""
    number = np.arange(first, first + count)[:, None, None]
    rows, columns = np.ogrid[:28, :28]
    apart = (rows - 8 - number % 13) ** 2 + (columns - 8 - number // 13 % 13) ** 2
    grain = (31 * rows * rows + 17 * columns + 7919 * number) % 13
    return (240 * np.exp(-apart / (6 + number % 7 * 4)) + grain).astype(np.uint8)


class Encoder:
    """Images to codes: Ray makes one in each actor, so that a model is opened once there."""

    def __init__(self, model):
        self.model = model
        self.context = libae.Context(threads=1)

    def __call__(self, batch):
        return {"code": self.model.encode(batch["image"], context=self.context)}


class Packer:
    """Ranges of images to shards, files that all workers and the caller can reach."""

    def __init__(self, model, folder):
        self.model, self.folder = model, folder
        self.context = libae.Context(threads=1)

    def __call__(self, batch):
        paths = []
        for first, count in zip(batch["first"], batch["count"]):
            paths.append(f"{self.folder}/{first:09}.aez")
            libae.compress_file(paths[-1], blobs(first, count), self.model, context=self.context)
        return {"path": paths}


def encoder(model):
    """What `mapInPandas` takes. The model goes along in the task, and is opened once for each partition."""

    def encode(frames):
        context = libae.Context(threads=1)
        for frame in frames:
            images = np.stack([np.frombuffer(each, np.uint8) for each in frame["image"]])
            yield pandas.DataFrame({"id": frame["id"], "code": list(model.encode(images, context=context))})

    return encode


def on_ray(model, count, folder):
    import ray

    # Where libae is not installed but on a path, workers are told.
    environment = {
        name: os.environ[name] for name in os.environ if name.startswith(("LIBAE_", "AE_", "PYTHONPATH"))
    }
    ray.init(num_cpus=2, include_dashboard=False, runtime_env={"env_vars": environment}, log_to_driver=False)
    ray.data.DataContext.get_current().execution_options.preserve_order = True

    images = ray.data.from_items([{"image": image} for image in blobs(0, count)])
    codes = images.map_batches(Encoder, fn_constructor_args=[model], batch_size=256, concurrency=2)
    got = np.stack([row["code"] for row in codes.take_all()])

    # 500 is the images of a block, unless block_images says otherwise.
    shards = ray.data.from_items(
        [{"first": first, "count": min(1000, count - first)} for first in range(0, count, 1000)]
    )
    packed = shards.map_batches(Packer, fn_constructor_args=[model, folder], batch_size=1, concurrency=2)
    libae.concatenate(sorted(row["path"] for row in packed.take_all()), f"{folder}/whole.aez")
    ray.shutdown()
    return got


def on_spark(model, count, folder):
    from pyspark.sql import SparkSession

    # Workers run this Python, not the system's.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    rows = [(number, image.tobytes()) for number, image in enumerate(blobs(0, count))]
    images = spark.createDataFrame(rows, "id long, image binary").repartition(4)
    codes = images.mapInPandas(encoder(model), "id long, code array<float>")
    got = np.array([row["code"] for row in codes.orderBy("id").collect()], np.float32)

    def pack(frames):
        packer = Packer(model, folder)
        for frame in frames:
            yield pandas.DataFrame(packer(frame))

    ranges = [(first, min(1000, count - first)) for first in range(0, count, 1000)]
    packed = (
        spark.createDataFrame(ranges, "first long, count long")
        .repartition(2)
        .mapInPandas(pack, "path string")
    )
    libae.concatenate(sorted(row["path"] for row in packed.collect()), f"{folder}/whole.aez")
    spark.stop()
    return got


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in ("ray", "spark"):
        raise SystemExit("usage: places.py ray|spark")
    count = 3300
    images = blobs(0, count)
    model = libae.train(images, latent_size=4, hidden=(32,), steps=400, name="blobs")
    with tempfile.TemporaryDirectory() as folder:
        codes = (on_ray if sys.argv[1] == "ray" else on_spark)(model, count, folder)
        with open(f"{folder}/whole.aez", "rb") as file:
            packed = file.read()
    if not np.array_equal(codes, model.encode(images)):
        raise SystemExit(f"places: {sys.argv[1]} gave other codes than one call")
    if packed != libae.compress(images, model):
        raise SystemExit(f"places: {sys.argv[1]}'s shards made another set than one call")
    print(f"{sys.argv[1]}: {count} codes and a set of {len(packed)} bytes, equal to those of one call")


if __name__ == "__main__":
    main()
