"""The benchmark: libae and its peers in turn (A B A B ...), medians and ratios.

usage: bench.py [--quick] [--rounds N] [--threads N] [SECTION ...]

A section that is finished is kept in .build/bench/NAME.json, so that a run can be made in pieces;
docs/benchmarks.md is written from all that are kept, --quick's aside, and holds what was printed.
"""

import argparse
import datetime
import gzip
import json
import os
import platform
import re
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


def in_turn(options, calls):
    """Medians of `rounds` rounds in which each call runs once, threads of the one before at rest."""
    results = {name: [] for name in calls}
    for _ in range(options.rounds):
        for name, call in calls.items():
            time.sleep(0.25)
            results[name].append(call())
    return {name: statistics.median(values) for name, values in results.items()}


class Table:
    def __init__(self, title, columns, note=""):
        self.title, self.columns, self.note, self.rows = title, columns, note, []

    def add(self, *cells):
        self.rows.append([str(cell) for cell in cells])
        print("  " + " | ".join(self.rows[-1]), flush=True)

    def text(self):
        lines = [f"### {self.title}", ""]
        if self.note:
            lines += [self.note, ""]
        lines += [
            "| " + " | ".join(row) + " |" for row in [self.columns, ["---"] * len(self.columns), *self.rows]
        ]
        return "\n".join(lines) + "\n"


def images_a_second(rate):
    return f"{rate:,.0f}"


# ---- Sections: each returns tables ----


def train(options):
    table = Table(
        f"Training, steps a second, {options.threads} threads",
        ["network", "data", "libae", "PyTorch", "ratio"],
        "784-500-500-d-500-500-784, ELU, batch 100, Adam; d = 5, for the VAE 20. PyTorch with fused Adam.",
    )
    with Workers(options.threads, "libae", "torch") as workers:
        for kind, latents in (("elu", 5), ("vae", 20)):
            for dense in (False, True):
                arguments = {"kind": kind, "dense": dense, "hidden": STUDY, "latent_size": latents}
                rates = in_turn(
                    options,
                    {
                        s: lambda w=w, a=arguments: w.ask("train", seconds=options.seconds * 2, **a)
                        for s, w in workers.items()
                    },
                )
                table.add(
                    "plain" if kind == "elu" else "VAE",
                    "dense random" if dense else "MNIST",
                    f"{rates['libae']:.0f}",
                    f"{rates['torch']:.0f}",
                    f"{rates['libae'] / rates['torch']:.2f}",
                )
    return [table]


def target(options):
    table = Table(
        f"Time to a test MSE of 0.0245, d = 5, {options.threads} threads",
        ["side", "seconds of training", "steps", "test MSE"],
        "Constant rate of 1e-3; evaluated every 500 steps, which is not timed.",
    )
    took = {}
    for side in ("libae", "torch"):
        with Workers(options.threads, side) as workers:
            answer = workers[side].ask("target", mse=0.0245, every=500)
        took[side] = answer["seconds"]
        reached = "" if answer["mse"] <= 0.0245 else " (not reached)"
        table.add(side, f"{answer['seconds']:.1f}", answer["steps"], f"{answer['mse']:.5f}{reached}")
    table.add("ratio", f"{took['torch'] / took['libae']:.2f}", "", "")
    return [table]


def make_models(options, hidden=None, latents=32, name="study"):
    sizes = {}
    for side in ("libae", "onnx"):
        with Workers(options.threads, side) as workers:
            sizes[side] = workers[side].ask("make", hidden=hidden or STUDY, latent_size=latents, name=name)
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
                    r = in_turn(options, {n: calls[n] for pair in zip(names[:3], names[3:]) for n in pair})
                    theirs8 = max(r["onnx static"], r["onnx dynamic"])
                    table.add(
                        threads, batch, *map(images_a_second, (r["libae float32"], r["onnx float32"])),
                        f"{r['libae float32'] / r['onnx float32']:.2f}",
                        *map(images_a_second, (r["libae int8"], r["libae bytes"], theirs8)),
                        f"{r['libae int8'] / r['onnx float32']:.2f}", f"{r['libae int8'] / theirs8:.2f}",
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
    table = Table("One image: from nothing to the first code, and warm",
                  ["what", "first code, ms", "warm, us"],
                  "Fresh processes, one thread, medians; Python's start is subtracted from what Python took. "
                  "C calls with bytes.")  # fmt: skip
    for what, path in (
        ("C, the shipped model", ROOT / "models/default.aew"),
        ("C, 784-500-500-32 int8", KEPT / "study-int8.aew"),
        ("C, 784-500-500-32 float32", KEPT / "study-float32.aew"),
    ):
        runs = [seconds_of([program, LIBRARY, path, 1])[1].split() for _ in range(options.rounds * 4)]
        first, warm = (statistics.median(float(run[i]) for run in runs) for i in (0, 1))
        table.add(what, f"{first:.2f}", f"{warm:.1f}")
    environment = dict(
        os.environ, PYTHONPATH=str(ROOT / "bindings/python/src"), LIBAE_LIBRARY=str(LIBRARY), AE_THREADS="1"
    )
    start = "import numpy as np; x = np.zeros((1, 784), np.float32); "
    codes = {
        "numpy alone": start,
        "Python, libae, shipped model": start
        + f"import libae; libae.Model.open({str(ROOT / 'models/default.aew')!r}).encode(x)",
        "Python, ONNX Runtime, float32": start
        + "import onnxruntime as o; s = o.SessionOptions(); s.intra_op_num_threads = 1; "
        + f"o.InferenceSession({str(KEPT / 'study-encode-float32.onnx')!r}, s, "
        + "providers=['CPUExecutionProvider']).run(None, {'x': x})",
    }  # fmt: skip
    calls = {n: lambda c=c: seconds_of([sys.executable, "-c", c], environment)[0] for n, c in codes.items()}
    for call in calls.values():
        call()
    took = in_turn(options, calls)
    for name in list(codes)[1:]:
        table.add(name, f"{1e3 * (took[name] - took['numpy alone']):.1f}", "")
    return [table]


def pca(options):
    table = Table(f"Principal components of 60,000 images, seconds, {options.threads} threads",
                  ["components", "libae", "scikit-learn", "ratio"])  # fmt: skip
    with Workers(options.threads, "libae", "sklearn") as workers:
        for components in (5, 32):
            r = in_turn(
                options, {s: lambda w=w, c=components: w.ask("pca", components=c) for s, w in workers.items()}
            )
            table.add(
                components, f"{r['libae']:.2f}", f"{r['sklearn']:.2f}", f"{r['sklearn'] / r['libae']:.2f}"
            )
    return [table]


def memory(options):
    sizes = make_models(options)
    table = Table("Peak memory, MB", ["work", "libae", "peer"],
                  "Largest resident set of a Python process that did this alone.")  # fmt: skip
    common = {"name": "study", "form": "float32", "direction": "encode", "batch": 10000, "seconds": 0.1}
    training = {"kind": "elu", "dense": False, "hidden": STUDY, "latent_size": 5, "seconds": 0.5}
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


REMARKS = (
    (r"^one row|^4 rows", "reads every weight for few multiply-adds: bound by the cache the weights lie in"),
    (r"^latents", "one side of 5 to 32: tiles are not full, and the data is read for few multiply-adds"),
    (r"dW of|dW 5", "short sums of 100: the gradient's stores weigh as much as the products"),
    (r"^10 rows", "tiles of few rows: packing the weights is not paid back"),
)


def kernel_lines(options):
    """The lines of kernels.c on this machine's best path, the peak measured between its own runs."""
    swift = os.environ.get("SWIFT", "swift")
    clang = Path(subprocess.run(["which", swift], capture_output=True, text=True).stdout.strip()).with_name(
        "clang"
    )
    program = KEPT / "kernels"
    sources = sorted((ROOT / "Sources/CKernels").glob("*.c"))
    include = f"-I{ROOT / 'Sources/CKernels/include'}"
    subprocess.run([clang, "-O2", include, ROOT / "tools/bench/kernels.c", *sources, "-lm", "-lpthread",
                    "-o", program], check=True)  # fmt: skip
    flags = Path("/proc/cpuinfo").read_text()
    path = "avx512" if "avx512_vnni" in flags else "avx2" if "avx2" in flags else "generic"
    return path, seconds_of([program, path])[1].splitlines()


def kernels(options):
    path, lines = kernel_lines(options)
    table = Table(f"Kernels, share of the multiply-add peak ({path})",
                  ["product", "1 thread, GFLOP/s", "share", "2 threads, GFLOP/s", "share", "below 60 %: why"],
                  "Zeros that are skipped count as multiplied: digits may pass 100 %.")  # fmt: skip
    rest = Table(f"Integer layers and passes ({path})", ["kernel", "measured"])
    peaks = []
    for line in lines[1:]:
        found = re.match(
            r"  (.{32}).*?([\d.]+) GFLOP/s +([\d.]+) %.*?([\d.]+) GFLOP/s +([\d.]+) %.*peak (\d+)", line
        )
        if found:
            name, one, share, two, share2, peak = (text.strip() for text in found.groups())
            peaks.append(float(peak))
            low = min(float(share), float(share2)) < 60
            why = (
                next((w for p, w in REMARKS if re.search(p, name)), "see the shares of both threads")
                if low
                else ""
            )
            table.add(name, one, f"{share} %", two, f"{share2} %", why)
        else:
            rest.add(line[:34].strip(), re.sub(r"  +", ", ", line[34:].strip()))
    (KEPT / "peak").write_text(str(max(peaks)))
    return [table, rest]


def growth(options):
    """Cost against width, latents and images; the peak is measured first."""
    kernels_peak = kernels(options) and float((KEPT / "peak").read_text())
    peak = kernels_peak * options.threads
    made = []
    columns = ["steps/s", "share of peak", "PyTorch steps/s", "ratio", "encode 1000, images/s",
               "share of peak", "ONNX images/s", "ratio"]  # fmt: skip
    note = (
        f"Dense random data, {options.threads} threads, float32; "
        f"the peak of one thread is {kernels_peak:.0f} GFLOP/s."
    )
    cases = {
        "hidden width": [(w, [w, w], 5) for w in (250, 500, 1000, 2000)],
        "latents": [(d, STUDY, d) for d in (2, 5, 16, 64)],
    }
    for what, values in cases.items():
        table = Table(f"Growth with {what}", [what, *columns], note)
        for value, hidden, latents in values:
            make_models(options, hidden, latents, "grown")
            chain = [784, *hidden, latents]
            macs = sum(a * b for a, b in zip(chain, chain[1:]))
            training = {
                "kind": "elu",
                "dense": True,
                "hidden": hidden,
                "latent_size": latents,
                "seconds": options.seconds,
            }
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
            # Forward, two gradients: 6 operations a weight and image, less the first layer's input gradient.
            work = 100 * (6 * 2 * macs - 2 * 784 * hidden[0])
            table.add(
                value, f"{t['libae']:.0f}", f"{100 * t['libae'] * work / peak / 1e9:.0f} %",
                f"{t['torch']:.0f}",
                f"{t['libae'] / t['torch']:.2f}", images_a_second(e["libae"]),
                f"{100 * e['libae'] * 2 * macs / peak / 1e9:.0f} %", images_a_second(e["onnx"]),
                f"{e['libae'] / e['onnx']:.2f}",
            )  # fmt: skip
        made.append(table)
    return made


def images(options):
    """Whole sets through the tool, from an IDX file to codes: time and memory by number of images."""
    make_models(options)
    table = Table("Growth with images: aez encode, from an IDX file to codes",
                  ["images", "seconds", "images/s", "peak memory, MB"],
                  "784-500-500-32 int8, MNIST's images repeated.")  # fmt: skip
    source = np.load(KEPT / "train.npy")
    for count in (1000, 10000, 100000) + (() if options.quick else (1000000,)):
        path = KEPT / "images.idx"
        with open(path, "wb") as file:
            file.write(np.array([2051, count, 28, 28], ">i4").tobytes())
            for first in range(0, count, len(source)):
                file.write(source[: count - first].tobytes())
        command = [
            AEZ,
            "encode",
            path,
            "--model",
            KEPT / "study-int8.aew",
            "-o",
            KEPT / "codes.npy",
            "--force",
            "-q",
        ]
        runs = []
        for _ in range(1 if count > 100000 else options.rounds):
            process = subprocess.Popen([str(c) for c in command])
            start = time.perf_counter()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = status
            if status:
                raise SystemExit("bench: aez encode failed")
            runs.append((time.perf_counter() - start, usage.ru_maxrss / 1024 * 1.048576))
        took, peak = (statistics.median(run[i] for run in runs) for i in (0, 1))
        table.add(f"{count:,}", f"{took:.3f}", images_a_second(count / took), f"{peak:.0f}")
        path.unlink()
    return [table]


SECTIONS = {f.__name__: f for f in (train, target, infer, latency, pca, memory, kernels, growth, images)}


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
    return f"{cpu}, {os.cpu_count()} processors; {own}; {peers}, Python {platform.python_version()}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--quick", action="store_true", help="minutes: fewer rounds, no long training; writes no page"
    )
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
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
    wanted = options.sections or [s for s in SECTIONS if not (options.quick and s in ("target", "growth"))]
    for name in wanted:
        print(f"== {name}", flush=True)
        text = "\n".join(table.text() for table in SECTIONS[name](options))
        kept = {"text": text, "machine": stamp, "rounds": options.rounds, "threads": options.threads,
                "date": datetime.date.today().isoformat()}  # fmt: skip
        print(text, flush=True)
        if not options.quick:
            (KEPT / f"{name}.json").write_text(json.dumps(kept))
    if not options.quick:
        write_page()


def write_page():
    page = [
        "# Benchmarks", "",
        "`make bench` wrote this page from what it printed. The sides run in turn, each in a process of",
        "its own, and medians count. Absolute figures move with the machine and its neighbours; ratios",
        "are of one run.", "",
        "Ratios above 1 are in libae's favour. A part is measured by `make bench SECTIONS=NAME`.", "",
    ]  # fmt: skip
    for name in SECTIONS:
        path = KEPT / f"{name}.json"
        if not path.exists():
            page += [f"## {name}", "", "Not measured yet.", ""]
            continue
        kept = json.loads(path.read_text())
        page += [
            f"## {name}",
            "",
            f"{kept['date']}, {kept['rounds']} rounds; {kept['machine']}.",
            "",
            kept["text"],
        ]
    (ROOT / "docs/benchmarks.md").write_text("\n".join(page).rstrip() + "\n")
    print("docs/benchmarks.md")


if __name__ == "__main__":
    main()
