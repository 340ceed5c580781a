"""One side of the benchmark in a process of its own: libae, PyTorch, ONNX Runtime or scikit-learn.

usage: worker.py SIDE THREADS      a JSON line in, a JSON line out; bench.py asks the sides in turn.
"""

import json
import os
import re
import sys
import time

import numpy as np

SIDE, THREADS = sys.argv[1], int(sys.argv[2])
IMAGES = os.environ["BENCH_IMAGES"]  # a folder with train.npy and test.npy, [count, 784] uint8
FILES = os.environ["BENCH_FILES"]  # a folder for models


def digits(split):
    return np.load(f"{IMAGES}/{split}.npy")


def training_images(dense):
    if dense:
        return np.random.default_rng(1).integers(1, 256, (60000, 784), dtype=np.uint8)
    return digits("train")


def rate(call, seconds, per_call=1):
    """Median rate of calls over `seconds`, after a few that do not count."""
    call()
    call()
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return per_call / float(np.median(times))


def peak_memory(pid="self"):
    """The largest resident set so far, bytes; getrusage's begins with what the parent process had."""
    with open(f"/proc/{pid}/status") as status:
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1])


# ---- libae ----


class Libae:
    def __init__(self):
        import libae

        self.libae = libae
        libae.set_threads(THREADS)
        self.kept = {}

    def trainer(self, kind, hidden, latent_size):
        return self.libae.Trainer(
            kind=kind, hidden=hidden, latent_size=latent_size, steps=10**8, progress_interval=20, seed=1
        )

    def fit(self, trainer, images, seconds=None, steps=None):
        """Steps and seconds of a stretch of training, the first call's 20 steps left out if timed."""
        state = {}

        def progress(told):
            now = time.perf_counter()
            state.setdefault("start", (told.step, now))
            state["end"] = (told.step, now)
            done = told.step - state["start"][0]
            return not (done >= steps if steps else now - state["start"][1] >= seconds)

        trainer.fit(images, progress)
        return state["end"][0] - state["start"][0], state["end"][1] - state["start"][1]

    def train(self, kind, dense, hidden, latent_size, seconds):
        key = (kind, dense, tuple(hidden), latent_size)
        if self.kept.get("key") != key:
            self.kept = {"key": key, "trainer": self.trainer(kind, hidden, latent_size)}
            self.kept["images"] = training_images(dense)
        steps, took = self.fit(self.kept["trainer"], self.kept["images"], seconds)
        return steps / took

    def stretch(self, steps, seed):
        """So many more steps of the study's network, d = 5; what they took in all, and the test error now."""
        if "target" not in self.kept:
            trainer = self.libae.Trainer(
                kind="elu", latent_size=5, steps=10**8, progress_interval=steps, seed=seed
            )
            self.kept["target"] = {"trainer": trainer, "seconds": 0.0, "steps": 0}
            self.kept["digits"] = digits("train"), digits("test")
        state, (images, test) = self.kept["target"], self.kept["digits"]
        start = time.perf_counter()
        state["trainer"].fit(images, lambda told: False)
        state["seconds"] += time.perf_counter() - start
        state["steps"] += steps
        with state["trainer"].model() as model:
            back = model.decode(model.encode(test), dtype=np.float32).reshape(-1, 784)
        error = float(np.mean((back - test / np.float32(255)) ** 2))
        return {"seconds": state["seconds"], "steps": state["steps"], "mse": error}

    def make(self, hidden, latent_size, name, integers):
        trainer = self.libae.Trainer(
            hidden=hidden, latent_size=latent_size, steps=200 if integers else 2, seed=1
        )
        images = digits("train")
        trainer.fit(images)
        storages = ("float32", "int8") if integers else ("float32",)
        model = trainer.model(images[:2000]) if integers else trainer.model()
        for storage in storages:
            model.save(f"{FILES}/{name}-{storage}.aew", storage=storage)
        return {s: os.path.getsize(f"{FILES}/{name}-{s}.aew") for s in storages}

    def stream(self, name, form, count):
        """Images a second of one call with `count` images in bytes."""
        model = self.libae.Model.open(f"{FILES}/{name}-{'float32' if form == 'float32' else 'int8'}.aew")
        out = np.empty((count, model.latent_size), np.float32)
        return count / many(self.kept, count, lambda images: model.encode(images, out=out))

    def infer(self, name, form, direction, batch, seconds, dense=False):
        model = self.libae.Model.open(f"{FILES}/{name}-{'float32' if form == 'float32' else 'int8'}.aew")
        test = training_images(True)[:10000] if dense else digits("test")
        if form != "bytes":
            test = (test / np.float32(255)).astype(np.float32)
        dtype = np.uint8 if form == "bytes" else np.float32
        if direction == "decode":
            test = np.ascontiguousarray(model.encode(test))
            out = np.empty((batch, 28, 28), dtype)
            return each_batch(lambda x: model.decode(x, out=out, dtype=dtype), test, batch, seconds)
        out = np.empty((batch, model.latent_size), np.float32)
        return each_batch(lambda x: model.encode(x, out=out), test, batch, seconds)

    def pca(self, components):
        images = digits("train")
        start = time.perf_counter()
        trainer = self.libae.Trainer(kind="pca", latent_size=components)
        trainer.fit(images)
        return time.perf_counter() - start


def many(kept, count, call):
    """Seconds of a call with `count` of the training images, repeated as needed; the median of three."""
    if len(kept.get("many", ())) != count:
        source = digits("train")
        kept["many"] = source[np.arange(count) % len(source)]
    times = []
    for _ in range(3 if count <= 100000 else 1):
        start = time.perf_counter()
        call(kept["many"])
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def each_batch(call, rows, batch, seconds):
    """Images a second, over batches that walk through the rows, so that no batch comes twice in a row."""
    state = {"at": 0}

    def one():
        if state["at"] + batch > len(rows):
            state["at"] = 0
        call(rows[state["at"] : state["at"] + batch])
        state["at"] += batch

    return rate(one, seconds, batch)


# ---- PyTorch ----


class Torch:
    """Fused Adam on the CPU, no autocast, batches drawn from bytes in memory as libae does."""

    def __init__(self):
        import torch

        self.torch = torch
        torch.set_num_threads(THREADS)
        torch.manual_seed(1)
        self.kept = {}

    def network(self, kind, hidden, latent_size):
        torch, nn = self.torch, self.torch.nn
        vae = kind.endswith("vae")

        def stack(widths):
            layers = []
            for inputs, outputs in zip(widths, widths[1:]):
                layers += [nn.Linear(inputs, outputs), nn.ELU(inplace=True)]
            return nn.Sequential(*layers[:-1])

        if kind == "conv-vae":
            encoder, decoder = self.convolutions(hidden, latent_size)
        else:
            encoder = stack([784, *hidden, latent_size * (2 if vae else 1)])
            decoder = stack([latent_size, *reversed(hidden), 784])
        parameters = [*encoder.parameters(), *decoder.parameters()]
        adam = torch.optim.Adam(parameters, lr=1e-3, fused=True)

        def step(data):
            x = data[torch.randint(0, len(data), (100,))].float().mul_(1 / 255)
            adam.zero_grad(set_to_none=True)
            if vae:
                mean, log_variance = encoder(x).chunk(2, 1)
                z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
                kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()
                entropy = nn.functional.binary_cross_entropy_with_logits(decoder(z), x, reduction="sum")
                loss = (entropy + kl) / 100
            else:
                loss = nn.functional.mse_loss(decoder(encoder(x)), x)
            loss.backward()
            adam.step()

        return encoder, decoder, step

    def convolutions(self, hidden, latent_size):
        """The layers that libae makes of the kind conv-vae: maps are halved where the channels change."""
        nn = self.torch.nn
        side, channels, encoder, decoder = 28, 1, [nn.Unflatten(1, (1, 28, 28))], [nn.Flatten()]
        for i, width in enumerate(hidden[:-1]):
            halves = i == 0 or hidden[i - 1] != width
            shape = {"kernel_size": 4 if halves else 3, "stride": 2 if halves else 1, "padding": 1}
            encoder += [nn.Conv2d(channels, width, **shape), nn.ELU(inplace=True)]
            back = [nn.ConvTranspose2d(width, channels, **shape)]
            decoder = back + ([nn.ELU(inplace=True)] if i else []) + decoder
            side, channels = side // 2 if halves else side, width
        flat = side * side * channels
        encoder += [nn.Flatten(), nn.Linear(flat, hidden[-1]), nn.ELU(inplace=True)]
        encoder.append(nn.Linear(hidden[-1], 2 * latent_size))
        dense = [nn.Linear(latent_size, hidden[-1]), nn.ELU(inplace=True), nn.Linear(hidden[-1], flat)]
        decoder = [*dense, nn.ELU(inplace=True), nn.Unflatten(1, (channels, side, side)), *decoder]
        return nn.Sequential(*encoder), nn.Sequential(*decoder)

    def train(self, kind, dense, hidden, latent_size, seconds):
        key = (kind, dense, tuple(hidden), latent_size)
        if self.kept.get("key") != key:
            self.kept = {"key": key, "step": self.network(kind, hidden, latent_size)[2]}
            self.kept["data"] = self.torch.from_numpy(training_images(dense))
        step, data = self.kept["step"], self.kept["data"]
        for _ in range(20):
            step(data)
        steps, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            step(data)
            steps += 1
        return steps / (time.perf_counter() - start)

    def stretch(self, steps, seed):
        torch = self.torch
        if "target" not in self.kept:
            torch.manual_seed(seed)
            self.kept["target"] = {"network": self.network("elu", [500, 500], 5), "seconds": 0.0, "steps": 0}
            test = torch.from_numpy(digits("test")).float() / 255
            self.kept["digits"] = torch.from_numpy(digits("train")), test
        state, (data, test) = self.kept["target"], self.kept["digits"]
        encoder, decoder, step = state["network"]
        start = time.perf_counter()
        for _ in range(steps):
            step(data)
        state["seconds"] += time.perf_counter() - start
        state["steps"] += steps
        with torch.no_grad():
            # libae's decoder clamps to [0, 1], so this one does.
            error = float(((decoder(encoder(test)).clamp(0, 1) - test) ** 2).mean())
        return {"seconds": state["seconds"], "steps": state["steps"], "mse": error}


# ---- ONNX Runtime ----


class Onnx:
    def __init__(self):
        self.kept = {}

    def make(self, hidden, latent_size, name, integers):
        """The encoder and the decoder as graphs, in float32 and, if asked for, both kinds of int8."""
        import onnx
        from onnx import TensorProto, helper, numpy_helper
        from onnxruntime.quantization import (
            CalibrationDataReader,
            QuantFormat,
            QuantType,
            quantize_dynamic,
            quantize_static,
        )

        sizes = {}
        random = np.random.default_rng(1)
        test = (digits("test")[:500] / np.float32(255)).astype(np.float32)
        chains = {"encode": [784, *hidden, latent_size], "decode": [latent_size, *reversed(hidden), 784]}
        for direction, widths in chains.items():
            nodes, weights, last = [], [], "x"
            for i, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
                w = (random.standard_normal((inputs, outputs)) / inputs**0.5).astype(np.float32)
                weights += [numpy_helper.from_array(w, f"w{i}")]
                weights += [numpy_helper.from_array(np.zeros(outputs, np.float32), f"b{i}")]
                nodes.append(helper.make_node("Gemm", [last, f"w{i}", f"b{i}"], [f"g{i}"]))
                last = f"g{i}"
                if i + 2 < len(widths):
                    nodes.append(helper.make_node("Elu", [last], [f"a{i}"]))
                    last = f"a{i}"
            graph = helper.make_graph(
                nodes,
                direction,
                [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", widths[0]])],
                [helper.make_tensor_value_info(last, TensorProto.FLOAT, ["n", widths[-1]])],
                weights,
            )
            opsets = [helper.make_opsetid("", 17)]
            path = f"{FILES}/{name}-{direction}"
            onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), f"{path}-float32.onnx")
            if not integers:
                continue
            quantize_dynamic(f"{path}-float32.onnx", f"{path}-dynamic.onnx", weight_type=QuantType.QInt8)
            rows = (
                test
                if direction == "encode"
                else random.standard_normal((500, latent_size)).astype(np.float32)
            )

            class Reader(CalibrationDataReader):
                def __init__(self, rows):
                    self.batches = iter([{"x": rows[i : i + 100]} for i in range(0, 500, 100)])

                def get_next(self):
                    return next(self.batches, None)

            quantize_static(
                f"{path}-float32.onnx",
                f"{path}-static.onnx",
                Reader(rows),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                weight_type=QuantType.QInt8,
                activation_type=QuantType.QUInt8,
            )
            for form in ("float32", "static", "dynamic"):
                sizes[f"{direction} {form}"] = os.path.getsize(f"{path}-{form}.onnx")
        return sizes

    def session(self, name, form, direction):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.inter_op_num_threads = 1
        path = f"{FILES}/{name}-{direction}-{form}.onnx"
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def infer(self, name, form, direction, batch, seconds, dense=False):
        session = self.session(name, form, direction)
        if direction == "decode":
            size = session.get_inputs()[0].shape[1]
            rows = np.random.default_rng(2).standard_normal((10000, size)).astype(np.float32)
        else:
            rows = training_images(True)[:10000] if dense else digits("test")
            rows = (rows / np.float32(255)).astype(np.float32)
        return each_batch(lambda x: session.run(None, {"x": x}), rows, batch, seconds)

    def stream(self, name, form, count):
        """Images a second of `count` images in bytes, which become floats batch by batch."""
        session = self.session(name, form, "encode")
        size = session.get_outputs()[0].shape[1]
        out = np.empty((count, size), np.float32)
        floats = np.empty((1000, 784), np.float32)

        def call(images):
            for first in range(0, count, 1000):
                np.multiply(images[first : first + 1000], np.float32(1 / 255), out=floats)
                out[first : first + 1000] = session.run(None, {"x": floats})[0]

        return count / many(self.kept, count, call)


# ---- scikit-learn ----


class Sklearn:
    def pca(self, components):
        from sklearn.decomposition import PCA

        images = digits("train")
        start = time.perf_counter()
        PCA(components).fit(images.astype(np.float32) / np.float32(255))
        return time.perf_counter() - start


class Nothing:
    """Python and numpy, to see what they take."""


SIDES = {"nothing": Nothing, "libae": Libae, "torch": Torch, "onnx": Onnx, "sklearn": Sklearn}


def main():
    side = SIDES[SIDE]()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        call, arguments = json.loads(line)
        if call == "memory":
            answer = peak_memory()
        else:
            answer = getattr(side, call)(**arguments)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
