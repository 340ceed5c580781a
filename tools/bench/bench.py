"""The benchmark: libae and its peers in turn (A B A B ...), medians and ratios.

usage: bench.py [--quick] [--rounds N] [--threads N] [--page FILE] [SECTION ...]

A section that is finished, --quick's aside, goes into the page (docs/benchmarks.md) as it was printed; the
others stay as they are there, so that a run can be made in pieces. A page is of one kind of kernels: a
machine with others needs one of its own.
"""

import argparse
import datetime
import gzip
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".build/bench"
LIBRARY = ROOT / ".build/lib/libae.so"
AEZ = ROOT / ".build/release/aez"
STUDY = [500, 500]
CONVOLUTIONS = [32, 32, 64, 64, 256]


class Worker:
    """One side in its process; asked for one thing at a time."""

    def __init__(self, side, threads):
        environment = dict(
            os.environ,
            AE_THREADS=str(threads),
            BENCH_IMAGES=str(KEPT),
            BENCH_FILES=str(KEPT),
            PYTHONPATH=str(ROOT / "bindings/python/src"),
            LIBAE_LIBRARY=str(LIBRARY),
        )
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            environment[name] = str(threads)
        # What a machine's owner set for OpenBLAS must not slow a peer down.
        for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            environment.pop(name, None)
        script = Path(__file__).with_name("worker.py")
        self.process = subprocess.Popen(
            [sys.executable, script, side, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"bench: a worker ended: {self.process.args}")
        return json.loads(line)

    def ask(self, call, **arguments):
        self.process.stdin.write(json.dumps([call, arguments]) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Workers:
    def __init__(self, threads, *sides):
        self.sides, self.threads = sides, threads

    def __enter__(self):
        self.all = {side: Worker(side, self.threads) for side in self.sides}
        return self.all

    def __exit__(self, *_):
        for worker in self.all.values():
            worker.close()


class Sample(float):
    """The median of some rounds, which remembers how far they lay apart."""

    def __new__(cls, values):
        return super().__new__(cls, statistics.median(values))

    def __init__(self, values):
        self.spread = (max(values) - min(values)) / 2 / float(self)


def in_turn(options, calls):
    """Medians of `rounds` rounds in which each call runs once, threads of the one before at rest."""
    results = {name: [] for name in calls}
    for _ in range(options.rounds):
        for name, call in calls.items():
            time.sleep(0.25)
            results[name].append(call())
    return {name: Sample(values) for name, values in results.items()}


class Table:
    def __init__(self, title, columns, note=""):
        self.title, self.columns, self.note, self.rows, self.spreads = title, columns, note, [], []

    def add(self, *cells, samples=()):
        """A row; `samples` are the measurements in it that were repeated."""
        self.rows.append([str(cell) for cell in cells])
        self.spreads += [sample.spread for sample in samples]
        print("  " + " | ".join(self.rows[-1]), flush=True)

    def text(self):
        lines = [f"### {self.title}", ""]
        if self.note:
            lines += [self.note, ""]
        rows = [self.columns, *self.rows]
        widths = [max(len(row[c]) for row in rows) for c in range(len(self.columns))]
        # Words to the left, numbers to the right.
        numeric = [all(re.match(r"[\d.,-]|$", row[c]) for row in self.rows) for c in range(len(widths))]

        def line(cells):
            padded = (
                t.rjust(w) if right else t.ljust(w)
                for t, w, right in zip(cells, widths, numeric, strict=True)
            )
            return "| " + " | ".join(padded) + " |"

        lines.append(line(self.columns))
        rules = ("-" * (w - 1) + ":" if right else "-" * w for w, right in zip(widths, numeric, strict=True))
        lines.append("| " + " | ".join(rules) + " |")
        lines += [line(row) for row in self.rows]
        if self.spreads:
            middle, worst = (100 * f(self.spreads) for f in (statistics.median, max))
            lines += [
                "",
                f"Half the range of the rounds: {middle:.0f} % of the median in the middle of the table, "
                f"{worst:.0f} % at worst.",
            ]
        return "\n".join(lines) + "\n"


def images_a_second(rate):
    return f"{rate:,.0f}"


# ---- Sections: each returns tables ----


def train(options):
    table = Table(
        "Training, steps a second",
        ["threads", "network", "data", "libae", "PyTorch", "ratio"],
        "784-500-500-d-500-500-784, ELU, batch 100, Adam; d = 5, for the VAE 20. The convolutional VAE has "
        f"the layers {','.join(map(str, CONVOLUTIONS))} and d = 20. PyTorch with fused Adam. "
        "Dense random data has no zeros that could be left out.",
    )
    for threads in (1, options.threads):
        with Workers(threads, "libae", "torch") as workers:
            for kind, name, hidden, latents in (
                ("elu", "plain", STUDY, 5),
                ("vae", "VAE", STUDY, 20),
                ("conv-vae", "convolutional VAE", CONVOLUTIONS, 20),
            ):
                for dense in (False, True):
                    arguments = {"kind": kind, "dense": dense, "hidden": hidden, "latent_size": latents}
                    rates = in_turn(
                        options,
                        {
                            s: lambda w=w, a=arguments: w.ask("train", seconds=options.seconds * 2, **a)
                            for s, w in workers.items()
                        },
                    )
                    table.add(
                        threads, name, "dense random" if dense else "MNIST",
                        f"{rates['libae']:.0f}", f"{rates['torch']:.0f}",
                        f"{rates['libae'] / rates['torch']:.2f}", samples=rates.values(),
                    )  # fmt: skip
    return [table]


TARGET = 0.0245


def target(options):
    """Both sides train in turn, a stretch each, until each has got there."""
    table = Table(
        f"Time to a test MSE of {TARGET}, d = 5, {options.threads} threads",
        ["seed", "libae, s", "steps", "PyTorch, s", "steps", "ratio of times"],
        "Constant rate of 1e-3. Every 500 steps the test images are encoded and decoded, which is not timed; "
        "the first time that the error is low enough counts. How many steps that takes is a matter of luck "
        "on both sides.",
    )
    total = {"libae": 0.0, "torch": 0.0}
    for seed in (1,) if options.quick else (1, 2):
        # A quick run is to show that it works.
        wanted = 0.05 if options.quick else TARGET
        reached = {}
        with Workers(options.threads, *total) as workers:
            while len(reached) < len(total):
                for side, worker in workers.items():
                    if side in reached:
                        continue
                    told = worker.ask("stretch", steps=500, seed=seed)
                    if told["mse"] <= wanted:
                        reached[side] = told
                    elif told["steps"] >= 60000:
                        raise SystemExit(
                            f"bench: {side} is still at {told['mse']} after {told['steps']} steps"
                        )
                    time.sleep(0.25)
        for side in total:
            total[side] += reached[side]["seconds"]
        ours, theirs = reached["libae"], reached["torch"]
        table.add(
            seed, f"{ours['seconds']:.1f}", f"{ours['steps']:,}", f"{theirs['seconds']:.1f}",
            f"{theirs['steps']:,}", f"{theirs['seconds'] / ours['seconds']:.2f}",
        )  # fmt: skip
    table.add("all", f"{total['libae']:.1f}", "", f"{total['torch']:.1f}", "",
              f"{total['torch'] / total['libae']:.2f}")  # fmt: skip
    return [table]


def make_models(options, hidden=STUDY, latents=32, name="study", integers=True):
    """The same network on both sides, in files; what each takes."""
    arguments = {"hidden": hidden, "latent_size": latents, "name": name, "integers": integers}
    sizes = {}
    for side in ("libae", "onnx"):
        with Workers(options.threads, side) as workers:
            sizes[side] = workers[side].ask("make", **arguments)
    return sizes


def infer(options):
    make_models(options)
    tables = []
    for direction in ("encode", "decode"):
        table = Table(
            f"{direction.capitalize()}, images a second",
            [
                "threads", "batch", "libae float", "ONNX float", "ratio",
                "libae int8", "libae int8, bytes", "ONNX int8", "libae int8 : ONNX float",
                "libae int8 : ONNX int8",
            ],
            "784-500-500-32, MNIST's test images; floats in and out, but for the column of bytes. "
            "ONNX Runtime's int8 is the faster of static QDQ and dynamic. Called from Python on both sides.",
        )  # fmt: skip
        for threads in (1, options.threads):
            with Workers(threads, "libae", "onnx") as workers:
                ours, theirs = workers["libae"], workers["onnx"]
                for batch in (1, 100, 1000, 10000):
                    common = {
                        "name": "study",
                        "direction": direction,
                        "batch": batch,
                        "seconds": options.seconds,
                    }
                    calls = {
                        f"{side} {form}": lambda w=w, f=form, c=common: w.ask("infer", form=f, **c)
                        for side, w, forms in (
                            ("libae", ours, ("float32", "int8", "bytes")),
                            ("onnx", theirs, ("float32", "static", "dynamic")),
                        )
                        for form in forms
                    }
                    # A B A B: libae's first, ONNX Runtime's first, and so on.
                    names = list(calls)
                    r = in_turn(
                        options,
                        {n: calls[n] for pair in zip(names[:3], names[3:], strict=True) for n in pair},
                    )
                    theirs8 = max(r["onnx static"], r["onnx dynamic"])
                    table.add(
                        threads, batch, *map(images_a_second, (r["libae float32"], r["onnx float32"])),
                        f"{r['libae float32'] / r['onnx float32']:.2f}",
                        *map(images_a_second, (r["libae int8"], r["libae bytes"], theirs8)),
                        f"{r['libae int8'] / r['onnx float32']:.2f}", f"{r['libae int8'] / theirs8:.2f}",
                        samples=r.values(),
                    )  # fmt: skip
        tables.append(table)
    return tables


def seconds_of(command, environment=None):
    start = time.perf_counter()
    done = subprocess.run(
        [str(c) for c in command], env=environment, check=True, capture_output=True, text=True
    )
    return time.perf_counter() - start, done.stdout


def latency(options):
    make_models(options)
    program = KEPT / "first"
    cc = os.environ.get("CC", "cc")
    subprocess.run([cc, "-O2", Path(__file__).with_name("first.c"), "-o", program, "-ldl"], check=True)
    in_c = Table("From C: dlopen, open a model, first code",
                 ["model", "file, bytes", "first code, ms", "slowest, ms", "warm, us an image"],
                 "Fresh processes, one thread, images in bytes; medians of 40 processes, and the slowest of "
                 "them.")  # fmt: skip
    for what, path in (
        ("the default model, int8", ROOT / "models/digits-high.aew"),
        ("784-500-500-32, int8", KEPT / "study-int8.aew"),
        ("784-500-500-32, float32", KEPT / "study-float32.aew"),
    ):
        runs = [seconds_of([program, LIBRARY, path, 1])[1].split() for _ in range(40)]
        first, warm = ([float(run[i]) for run in runs] for i in (0, 1))
        in_c.add(what, f"{path.stat().st_size:,}", f"{statistics.median(first):.2f}", f"{max(first):.2f}",
                 f"{statistics.median(warm):.1f}")  # fmt: skip
    in_python = Table("From Python: import, open a model, first code", ["what", "ms", "beyond numpy, ms"],
                      "Fresh processes, one thread; what Python takes to start is subtracted.")  # fmt: skip
    environment = dict(
        os.environ, PYTHONPATH=str(ROOT / "bindings/python/src"), LIBAE_LIBRARY=str(LIBRARY), AE_THREADS="1"
    )
    array = "import numpy as np; x = np.zeros((1, 784), np.float32); "

    def onnx(form):
        return (
            array + "import onnxruntime as o; s = o.SessionOptions(); s.intra_op_num_threads = 1; "
            f"o.InferenceSession({str(KEPT / f'study-encode-{form}.onnx')!r}, s, "
            "providers=['CPUExecutionProvider']).run(None, {'x': x})"
        )

    codes = {
        "Python": "pass",
        "numpy alone": array,
        "libae, the shipped model": array
        + f"import libae; libae.Model.open({str(ROOT / 'models/digits-high.aew')!r}).encode(x)",
        "libae, 784-500-500-32, float32": array
        + f"import libae; libae.Model.open({str(KEPT / 'study-float32.aew')!r}).encode(x)",
        "ONNX Runtime, 784-500-500-32, float32": onnx("float32"),
        "ONNX Runtime, 784-500-500-32, int8": onnx("static"),
    }  # fmt: skip
    calls = {n: lambda c=c: seconds_of([sys.executable, "-c", c], environment)[0] for n, c in codes.items()}
    for call in calls.values():
        call()
    took = in_turn(argparse.Namespace(rounds=2 * options.rounds), calls)
    for name in list(codes)[1:]:
        beyond = "" if name == "numpy alone" else f"{1e3 * (took[name] - took['numpy alone']):.1f}"
        in_python.add(name, f"{1e3 * (took[name] - took['Python']):.1f}", beyond, samples=[took[name]])
    return [in_c, in_python]


def pca(options):
    table = Table(f"Principal components of 60,000 images, seconds, {options.threads} threads",
                  ["components", "libae", "scikit-learn", "ratio"],
                  "From images in bytes to components. libae's time has its error on all images in it, which "
                  "scikit-learn's `fit` does not compute.")  # fmt: skip
    with Workers(options.threads, "libae", "sklearn") as workers:
        for components in (5, 32):
            r = in_turn(
                options, {s: lambda w=w, c=components: w.ask("pca", components=c) for s, w in workers.items()}
            )
            table.add(
                components, f"{r['libae']:.2f}", f"{r['sklearn']:.2f}",
                f"{r['sklearn'] / r['libae']:.2f}", samples=r.values(),
            )  # fmt: skip
    return [table]


def memory(options):
    sizes = make_models(options)
    table = Table("Peak memory, MB", ["work", "libae", "peer"],
                  "Largest resident set of a Python process that did this alone.")  # fmt: skip
    common = {"name": "study", "form": "float32", "direction": "encode", "batch": 10000, "seconds": 0.1}
    training = {"kind": "elu", "dense": False, "hidden": STUDY, "latent_size": 5, "seconds": 0.5}
    with Workers(options.threads, "nothing") as workers:
        alone = workers["nothing"].ask("memory") / 1e6
    table.add("none: Python and numpy alone", f"{alone:.0f}", f"{alone:.0f}")
    for what, peer, call, arguments in (
        ("training, PyTorch", "torch", "train", training),
        ("encode 10,000, ONNX Runtime", "onnx", "infer", common),
        ("principal components, scikit-learn", "sklearn", "pca", {"components": 32}),
    ):
        peaks = []
        for side in ("libae", peer):
            with Workers(options.threads, side) as workers:
                workers[side].ask(call, **arguments)
                peaks.append(workers[side].ask("memory") / 1e6)
        table.add(what, *(f"{peak:.0f}" for peak in peaks))
    size = Table("Size, bytes", ["file", "bytes"])
    size.add("libae.so", f"{LIBRARY.resolve().stat().st_size:,}")
    package = Path(metadata.distribution("onnxruntime").locate_file("onnxruntime/capi"))
    for path in sorted(package.glob("onnxruntime_pybind11_state*.so")):
        size.add("ONNX Runtime's library (Python's)", f"{path.stat().st_size:,}")
    torch = Path(metadata.distribution("torch").locate_file("torch/lib/libtorch_cpu.so"))
    size.add("PyTorch's libtorch_cpu.so", f"{torch.stat().st_size:,}")
    for form, count in sizes["libae"].items():
        size.add(f"784-500-500-32 and back, libae {form}", f"{count:,}")
    for form in ("float32", "static", "dynamic"):
        size.add(
            f"the same, ONNX {form}", f"{sum(n for k, n in sizes['onnx'].items() if k.endswith(form)):,}"
        )
    return [table, size]


LIBRARY_FLAGS = ["-O3", "-DAE_EMBEDDED"]  # those of tools/build-library.sh


def kernel_lines(*arguments):
    """What kernels.c prints on this machine's best path, with kernels as libae.so has them."""
    swift = os.environ.get("SWIFT", "swift")
    clang = Path(shutil.which(swift)).with_name("clang")
    program, include = KEPT / "kernels", f"-I{ROOT / 'Sources/CKernels/include'}"
    objects = []
    for source in sorted((ROOT / "Sources/CKernels").glob("*.c")):
        objects.append(KEPT / f"{source.stem}.o")
        subprocess.run([clang, *LIBRARY_FLAGS, include, "-c", source, "-o", objects[-1]], check=True)
    main = ROOT / "tools/bench/kernels.c"
    subprocess.run([clang, "-O2", include, main, *objects, "-lm", "-lpthread", "-o", program], check=True)
    flags = Path("/proc/cpuinfo").read_text()
    path = "avx512" if "avx512_vnni" in flags else "avx2" if "avx2" in flags else "generic"
    lines = seconds_of([program, path, *arguments])[1].splitlines()
    return path, [[cell.strip() for cell in line.split("|")] for line in lines]


def peaks():
    """Gop/s of one thread and of two, float32."""
    return [float(cells[1]) for cells in kernel_lines("peak")[1]]


def what_holds_back(cells):
    """Where the time of a kernel below 60 % of the peak goes, as far as was measured."""
    if "-" in (cells[3], cells[6]):
        return "no peak was measured beside it"
    one, share, two, share2 = (float(cells[i].rstrip(" %")) for i in (1, 3, 4, 6))
    reading = float(cells[8])
    if share < 60:
        if reading > 0.6 * one:
            return f"reading its data alone takes {reading:.1f} of {one:.1f} us"
        if cells[7] == "-":
            return ""
        zeros = float(cells[7])
        left = 100 * share / 100 * one / (one - zeros)
        return (
            f"of {one:.1f} us {zeros:.1f} go into all but the products, {reading:.1f} into reading; "
            f"in what is left the products run at {left:.0f} %"
        )
    if share2 < 60:
        return f"two threads gain {one / two:.1f}x"
    return ""


def kernels(options):
    path, lines = kernel_lines()
    peak_rows = [cells for cells in lines if cells[0].startswith("peak")]
    note = (
        "Peak: " + "; ".join(f"{cells[0].split(', ')[1]} {float(cells[1]):,.0f} Gop/s in floats, "
                             f"{float(cells[2]):,.0f} in int8" for cells in peak_rows)
        + ". A multiply-add is two operations. Zeros that are left out count as multiplied: digits may pass "
        "100 %."
    )  # fmt: skip
    columns = ["kernel", "1 thread, us", "Gop/s", "of peak", "2 threads, us", "Gop/s", "of peak",
               "zeros, us", "reading, us", "below 60 %: where the time goes"]  # fmt: skip
    explained = (
        " *Zeros*: the same call on zeros, whose products are left out: packing, listing, scaling, storing, "
        "and Adam's steps. *Reading*: reading what the kernel reads, once. Both by one thread."
    )
    titles = {
        "products": f"Matrix products of training ({path})",
        "convolutions": f"Convolutions of training, 100 images ({path})",
        "layers in floats": f"Layers of a trained network in float32 ({path})",
        "layers in integers": f"Layers in int8 ({path})",
    }
    tables, table = [], None
    for cells in lines:
        if cells[0] in titles:
            table = Table(titles[cells[0]], columns, note + explained if not tables else "")
            tables.append(table)
        elif cells[0] == "passes":
            table = Table(f"Passes over values ({path}, one thread)",
                          ["pass", "us", "ns a value", "moving, us", "of that speed"],
                          "*Moving*: reading and writing as many bytes of as much memory and doing nothing "
                          "else. What is far slower than that computes: compare the row of one division a "
                          "value; sigmoid and cross-entropy have such divisions, and exp, sigmoid, ELU and "
                          "cross-entropy a polynomial of degree five or more.")  # fmt: skip
            tables.append(table)
        elif cells[0] == "threads":
            table = Table("Threads", ["what", "us"])
            tables.append(table)
        elif len(cells) == 9:
            table.add(*cells, what_holds_back(cells))
        elif len(cells) == 4:
            table.add(*cells, f"{100 * float(cells[3]) / float(cells[1]):.0f} %")
        elif len(cells) == 2:
            table.add(*cells)
    return tables


def growth(options):
    """Cost against width and latents; the peak is measured first."""
    one, both = peaks()
    peak = one if options.threads == 1 else both * options.threads / 2
    made = []
    columns = ["train, steps/s", "of peak", "PyTorch", "ratio", "encode, images/s", "of peak", "ONNX Runtime",
               "ratio"]  # fmt: skip
    note = (
        f"Dense random data, {options.threads} threads, float32, encode in batches of 1000; the peak of "
        f"{options.threads} threads is {peak:.0f} Gop/s. A step's work is counted without what nobody needs: "
        "the gradient of the images."
    )
    cases = {
        "hidden width": [(w, [w, w], 5) for w in (250, 500, 1000, 2000)],
        "latents": [(d, STUDY, d) for d in (2, 5, 16, 64)],
    }
    for what, values in cases.items():
        table = Table(f"Growth with {what}", [what, *columns], note if not made else "")
        for value, hidden, latents in values[:1] if options.quick else values:
            make_models(options, hidden, latents, "grown", integers=False)
            chain = [784, *hidden, latents]
            macs = sum(a * b for a, b in zip(chain, chain[1:], strict=False))
            training = {"kind": "elu", "dense": True, "hidden": hidden, "latent_size": latents,
                        "seconds": options.seconds * 2}  # fmt: skip
            common = {"name": "grown", "form": "float32", "direction": "encode", "batch": 1000, "dense": True,
                      "seconds": options.seconds}  # fmt: skip
            with Workers(options.threads, "libae", "torch") as workers:
                t = in_turn(
                    options, {s: lambda w=w, a=training: w.ask("train", **a) for s, w in workers.items()}
                )
            with Workers(options.threads, "libae", "onnx") as workers:
                e = in_turn(
                    options, {s: lambda w=w, a=common: w.ask("infer", **a) for s, w in workers.items()}
                )
            # Encoder and decoder; forward and two gradients, two operations a weight and image each.
            work = 100 * (3 * 2 * 2 * macs - 2 * 784 * hidden[0])
            table.add(
                f"{value:,}", f"{t['libae']:.0f}", f"{100 * t['libae'] * work / peak / 1e9:.0f} %",
                f"{t['torch']:.0f}", f"{t['libae'] / t['torch']:.2f}", images_a_second(e["libae"]),
                f"{100 * e['libae'] * 2 * macs / peak / 1e9:.0f} %", images_a_second(e["onnx"]),
                f"{e['libae'] / e['onnx']:.2f}", samples=[*t.values(), *e.values()],
            )  # fmt: skip
        made.append(table)
    return made


def watched(command, environment):
    """Seconds that a command takes and the bytes of its largest resident set."""
    start, peak = time.perf_counter(), 0
    process = subprocess.Popen([str(c) for c in command], env=environment)
    status = Path(f"/proc/{process.pid}/status")
    # wait4's figure begins with what this process has, so the command's own is asked while it runs.
    while process.poll() is None:
        found = re.search(r"Name:\s+aez[^$]*?VmHWM:\s+(\d+) kB", status.read_text())
        peak = max(peak, 1024 * int(found[1])) if found else peak
        time.sleep(0.001)
    if process.returncode:
        raise SystemExit(f"bench: {command} failed")
    return time.perf_counter() - start, peak


def images(options):
    """Whole sets: through the tool, from file to file, and from memory to memory beside ONNX Runtime."""
    make_models(options)
    tool = Table(f"Whole sets: aez encode, from an IDX file to a file of codes, {options.threads} threads",
                 ["images", "seconds", "images/s", "peak memory, MB"],
                 "784-500-500-32 int8, MNIST's images repeated.")  # fmt: skip
    memory = Table(f"Whole sets: from bytes in memory to codes, {options.threads} threads, images/s",
                   ["images", "libae int8", "libae float", "ONNX float", "ratio", "ONNX int8", "int8 : int8"],
                   "One call of libae with all the images; ONNX Runtime in batches of 1000, for which bytes "
                   "are made floats first, as it takes nothing else.")  # fmt: skip
    source = np.load(KEPT / "train.npy")
    for count in (1000, 10000, 100000) + (() if options.quick else (1000000,)):
        path = KEPT / "images.idx"
        with open(path, "wb") as file:
            file.write(np.array([2051, count, 28, 28], ">i4").tobytes())
            for first in range(0, count, len(source)):
                file.write(source[: count - first].tobytes())
        command = [AEZ, "encode", path, "--model", KEPT / "study-int8.aew", "-o", KEPT / "codes.npy", "-f",
                   "-q"]  # fmt: skip
        environment = dict(os.environ, AE_THREADS=str(options.threads))
        runs = []
        for _ in range(options.rounds):
            runs.append(watched(command, environment))
        took, peak = (Sample([run[i] for run in runs]) for i in (0, 1))
        tool.add(f"{count:,}", f"{took:.3f}", images_a_second(count / took), f"{peak / 1e6:.0f}",
                 samples=[took])  # fmt: skip
        path.unlink()
    for count in (1000, 10000, 100000) + (() if options.quick else (1000000,)):
        with Workers(options.threads, "libae", "onnx") as workers:
            r = in_turn(
                options,
                {
                    f"{side} {form}": lambda w=workers[side], f=form, c=count: w.ask(
                        "stream", name="study", form=f, count=c
                    )
                    for side, forms in (("libae", ("bytes", "float32")), ("onnx", ("float32", "static")))
                    for form in forms
                },
            )
        memory.add(
            f"{count:,}", *map(images_a_second, (r["libae bytes"], r["libae float32"], r["onnx float32"])),
            f"{r['libae float32'] / r['onnx float32']:.2f}", images_a_second(r["onnx static"]),
            f"{r['libae bytes'] / r['onnx static']:.2f}", samples=r.values(),
        )  # fmt: skip
    return [tool, memory]


TITLES = {
    train: "Training",
    target: "Training to an error",
    infer: "Encoding and decoding",
    latency: "The first image, and one image",
    pca: "Principal components",
    memory: "Memory and size",
    kernels: "Kernels and the processor's peak",
    growth: "Growth with width and latents",
    images: "Growth with images",
}
SECTIONS = {section.__name__: section for section in TITLES}
# Growth's wide networks take so long that more rounds would take over five minutes.
MOST_ROUNDS = {"growth": 3}


def prepare():
    """MNIST as two arrays; the sides read the same ones."""
    KEPT.mkdir(parents=True, exist_ok=True)
    folder = Path(os.environ.get("AE_MNIST") or "/nonexistent")
    for split, stem in (("train", "train-images-idx3-ubyte"), ("test", "t10k-images-idx3-ubyte")):
        for path, opener in ((folder / stem, open), (folder / f"{stem}.gz", gzip.open)):
            if path.exists():
                with opener(path, "rb") as file:
                    np.save(
                        KEPT / f"{split}.npy",
                        np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784),
                    )
                break
        else:
            raise SystemExit(f"bench: no {stem} in AE_MNIST ({folder}); aez fetch mnist gets it")


def machine(packages=("torch", "onnxruntime", "scikit-learn", "numpy")):
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    # Of what is installed here; the library says its own, with the kernels it chose.
    peers = ", ".join(f"{n} {metadata.version(n)}" for n in packages)
    code = (
        "import ctypes, sys; l = ctypes.CDLL(sys.argv[1]); l.ae_build_info.restype = ctypes.c_char_p; "
        "print(l.ae_build_info().decode())"
    )
    own = seconds_of([sys.executable, "-c", code, LIBRARY])[1].strip()
    cpu = model.group(1) if model else platform.machine()
    hidden = " with AVX-512 hidden" if os.environ.get("PROCESSOR") == "avx2" else ""
    return f"{cpu}{hidden}, {os.cpu_count()} processors; {own}; {peers}, Python {platform.python_version()}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--quick", action="store_true", help="minutes: fewer rounds, no long training; writes no page"
    )
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write (%(default)s)")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=" ".join(SECTIONS))
    options = parser.parse_args()
    unknown = set(options.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no section {' '.join(sorted(unknown))}; there are {' '.join(SECTIONS)}")
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = 0.15 if options.quick else 0.4
    prepare()
    stamp = machine()
    print(stamp, flush=True)
    page = options.page.resolve()
    if not options.quick:
        check_page(page, stamp)
    rounds = options.rounds
    for name in options.sections or list(SECTIONS):
        print(f"== {name}", flush=True)
        options.rounds = min(rounds, MOST_ROUNDS.get(name, rounds))
        text = "\n".join(table.text() for table in SECTIONS[name](options))
        print(text, flush=True)
        today = datetime.date.today().isoformat()
        told = f"*{name}*, {today}, {options.rounds} rounds; {stamp}.\n\n{text.strip()}"
        if not options.quick:
            write_page(page, {name: told}, stamp)


PAGE = ROOT / "docs/benchmarks.md"
HEAD = """# Benchmarks{kernels}

`make bench{page}` wrote this page from what it printed; `make bench{page} SECTIONS=NAME` measures one part
again. It runs libae and its peers in turn on one machine, each in a process of its own with
the same number of threads, and takes medians. Absolute figures move with the machine and its
neighbours; ratios are of one run, and those above 1 are in libae's favour.
"""
KERNELS = re.compile(r" (\w+) kernels,")


def read_page(page):
    """What a page has of each section, without its title."""
    parts = re.split(r"^## (.*)\n", page.read_text() if page.exists() else "", flags=re.MULTILINE)
    return dict(zip(parts[1::2], (text.strip() for text in parts[2::2]), strict=True))


def check_page(page, stamp):
    """Stops before a page of other kernels would be written over."""
    own = KERNELS.findall(stamp)
    for name in KERNELS.findall("\n".join(read_page(page).values())):
        if name not in own:
            raise SystemExit(f"bench: {page} is of {name} kernels, this machine has {own[0]}; "
                             f"PAGE=docs/benchmarks-{own[0]}.md makes another")  # fmt: skip


def write_page(page, measured, stamp):
    """Writes a page anew, `measured` in place of what it has of those sections."""
    texts = read_page(page) | {TITLES[SECTIONS[name]]: text for name, text in measured.items()}
    argument = "" if page == PAGE else f" PAGE={page.relative_to(ROOT)}"
    kernels = "" if page == PAGE else f": {KERNELS.findall(stamp)[0]} kernels"
    lines = [HEAD.format(page=argument, kernels=kernels)]
    others = [other.name for other in sorted(page.parent.glob("benchmarks*.md")) if other != page]
    if others:
        lines += ["Of other machines: " + ", ".join(f"[{name}]({name})" for name in others) + ".", ""]
    for name, section in SECTIONS.items():
        missing = f"Not measured yet (`make bench{argument} SECTIONS={name}`)."
        lines += [f"## {TITLES[section]}", "", texts.get(TITLES[section], missing), ""]
    page.write_text("\n".join(lines).rstrip() + "\n")
    print(page.relative_to(ROOT))


if __name__ == "__main__":
    main()
