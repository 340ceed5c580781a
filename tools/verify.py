"""The long trainings behind docs/results.md: runs them with the tool, measures, and writes the page.

Each run is kept in .build/verify (or $AE_VERIFY) and not made again, so this can be stopped and continued at
any time; a run that was stopped goes on from its checkpoint. `make verify` calls it.

usage: verify.py [--page FILE] [--finished | RUN ...]      environment: AEZ, AE_MNIST, AE_VERIFY
"""

import argparse
import datetime
import gzip
import hashlib
import json
import os
import pathlib
import platform
import shlex
import statistics
import subprocess
import sys
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
AEZ = os.environ.get("AEZ", str(ROOT / ".build/release/aez"))
OUT = pathlib.Path(os.environ.get("AE_VERIFY", ROOT / ".build/verify"))
PCA = (2, 5, 10, 16, 32, 64)

# Name, options of `aez train`. The study's protocol is the tool's default: 50,000 steps of 100 images.
RUNS = {
    **{f"pca-{d}": f"--kind pca --latent-size {d}" for d in PCA},
    # At a constant rate the steps' noise alone keeps it 1.6 % above the components.
    "linear-5": "--kind linear --latent-size 5 --schedule cosine",
    "sigmoid-5": "--kind sigmoid --latent-size 5",
    "relu-5": "--kind relu --latent-size 5",
    "elu-5": "--kind elu --latent-size 5",
    "elu-5-seed-2": "--kind elu --latent-size 5 --seed 2",
    "elu-5-seed-3": "--kind elu --latent-size 5 --seed 3",
    "best-5": "--preset best-5",
    "best-30": "--preset best-30",
    "conv-30": "--preset conv-30",
    "vae-50": "--preset vae-50",
    "conv-vae-50": "--preset conv-vae-50",
    "best-vae-50": "--preset best-vae-50",
}
BOUNDED = {
    "vae-50": "images/vae-samples.png",
    "conv-vae-50": "images/conv-vae-samples.png",
    "best-vae-50": "images/best-vae-samples.png",
}
CODECS = ("elu-5", "best-5", "best-30")


def aez(*arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([AEZ, *arguments], check=True, text=True, capture_output=True, **options)


def train(name: str) -> pathlib.Path:
    """The model of a run, trained unless it is there."""
    model = OUT / f"{name}.aew"
    checkpoint = OUT / f"{name}.checkpoint"
    seconds = OUT / f"{name}.seconds"
    if model.exists():
        return model
    command = ["train", "mnist:train", "-o", str(model), "--quiet"]
    if checkpoint.exists():
        command += ["--resume", str(checkpoint), "--force"]
    else:
        command += shlex.split(RUNS[name]) + ["--name", name]
    if "pca" not in name:
        command += ["--checkpoint", str(checkpoint), "--checkpoint-every", "5000"]
    print(f"{name}: aez {' '.join(command)}", flush=True)
    start = time.monotonic()
    before = float(seconds.read_text()) if seconds.exists() else 0.0
    try:
        aez(*command)
    except subprocess.CalledProcessError as error:
        sys.exit(f"{name}: {error.stderr.strip()}")
    finally:
        seconds.write_text(str(before + time.monotonic() - start))
    checkpoint.unlink(missing_ok=True)
    return model


def evaluate(name: str) -> dict:
    """What `aez eval` reports of a run on the test images."""
    report = OUT / f"{name}.json"
    if not report.exists():
        bound = ["--bound", "--samples", "500", "--binarize-seed", "1"] if name in BOUNDED else []
        text = aez("eval", "mnist:test", "--model", str(train(name)), "--json", *bound).stdout
        report.write_text(text)
    return json.loads(report.read_text())


def mnist(split: str) -> np.ndarray:
    """The images of "train" or "t10k" as bytes, [count, 784]."""
    folder = pathlib.Path(os.environ["AE_MNIST"])
    name = f"{split}-images-idx3-ubyte"
    plain = folder / name
    data = plain.read_bytes() if plain.exists() else gzip.open(folder / f"{name}.gz").read()
    return np.frombuffer(data, np.uint8, offset=16).reshape(-1, 784)


def scikit_learn_pca() -> dict[int, float]:
    """The same errors from scikit-learn's PCA, in this run."""
    cache = OUT / "scikit-learn.json"
    if not cache.exists():
        from sklearn.decomposition import PCA as Reference

        images = {split: mnist(split).astype(np.float64) / 255 for split in ("train", "t10k")}
        fit = Reference(max(PCA), svd_solver="full").fit(images["train"])
        errors = {}
        for d in PCA:
            basis = fit.components_[:d]
            centred = images["t10k"] - fit.mean_
            errors[d] = float(np.mean((centred - centred @ basis.T @ basis) ** 2))
        cache.write_text(json.dumps(errors))
    return {int(d): value for d, value in json.loads(cache.read_text()).items()}


def minutes(name: str) -> str:
    path = OUT / f"{name}.seconds"
    return f"{float(path.read_text()) / 60:.1f}" if path.exists() else "-"


def command_line(name: str) -> str:
    return f"`aez train mnist:train {RUNS[name]}`"


def identical_everywhere(model: str) -> list[str]:
    """Compresses and restores the test images on every kernel path and thread count; one line each."""
    lines = []
    for path in ("generic", "avx2", "avx512"):
        for threads in ("1", "2"):
            environment = {**os.environ, "AE_CPU": path, "AE_THREADS": threads}
            packed = OUT / "identical.aez"
            restored = OUT / "identical-idx3-ubyte"
            aez("compress", "mnist:test", "-o", str(packed), "--model", model, "--force", env=environment)
            aez("decompress", str(packed), "-o", str(restored), "--model", model, "--force", env=environment)
            digests = [hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in (packed, restored)]
            lines.append(f"| {path} | {threads} | `{digests[0]}` | `{digests[1]}` |")
            packed.unlink()
            restored.unlink()
    return lines


def section(title: str, head: str, rows: list[str], after: list[str] | None = None) -> list[str]:
    """A titled table; nothing if it has no rows."""
    if not rows:
        return []
    columns = head.count("|") - 1
    return ["", f"## {title}", "", head, "|" + "---|" * columns, *rows, *(after or [])]


def recipe_row(name: str) -> str:
    """A run, how it was made, and what came of it."""
    report = evaluate(name)
    error, psnr = f"{report['mse']:.5f}", f"{report['psnr_db']:.2f}"
    return f"| {name} | {command_line(name)} | {error} | {psnr} | {minutes(name)} |"


def bound_row(name: str) -> str:
    """A variational run, how it was made, how many weights it has, and its bounds."""
    report = evaluate(name)
    weights = json.loads(aez("info", str(OUT / f"{name}.aew"), "--json").stdout)["parameters"]
    evidence, weighted = report["evidence_bound_nats"], report["importance_weighted_bound_nats"]
    return (
        f"| {name} | {command_line(name)} | {weights:,} | {evidence:.2f} | {weighted:.2f} | {minutes(name)} |"
    )


def quality_row(name: str, row: dict) -> str:
    """One quality of a model's image sets."""
    size, psnr, error = f"{row['bytes_per_image']:.2f}", f"{row['psnr_db']:.2f}", f"{row['mse']:.5f}"
    return f"| {name} | {row['quality']} | {size} | {psnr} | {error} |"


def page(finished: list[str]) -> str:
    """What is to be said of the runs that are finished."""

    def done(*names: str) -> list[str]:
        return [name for name in names if name in finished]

    lines = [
        "# Results",
        "",
        "Written by `make verify`, which trains the models below with the tool and measures them on MNIST's",
        "10,000 test images. Errors are mean squared errors per pixel on the [0, 1] scale, of the network's",
        "own output in floats.",
        "",
        f"{datetime.date.today():%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores; "
        f"{aez('--version').stdout.strip()}. Minutes are of a machine that did other things, too.",
    ]
    missing = [name for name in RUNS if name not in finished]
    if missing:
        lines += ["", f"Not run for this page: {', '.join(missing)}."]

    components = done(*(f"pca-{d}" for d in PCA))
    reference = scikit_learn_pca() if components else {}
    lines += section(
        "Principal components",
        "| d | test MSE | scikit-learn, same run |",
        [
            f"| {d} | {evaluate(f'pca-{d}')['mse']:.5f} | {reference[d]:.5f} |"
            for d in PCA
            if f"pca-{d}" in components
        ],
    )
    seeds = done("elu-5", "elu-5-seed-2", "elu-5-seed-3")
    median = statistics.median(evaluate(name)["mse"] for name in seeds) if len(seeds) == 3 else None
    plain = done("linear-5", "sigmoid-5", "relu-5", "elu-5", "elu-5-seed-2", "elu-5-seed-3")
    lines += section(
        "The study's protocol: 50,000 steps of 100 images, d = 5, rate 0.001, constant unless said",
        "| network | command | test MSE | PSNR, dB | minutes |",
        [recipe_row(name) for name in plain],
        ["", f"Median of the three ELU seeds: {median:.5f}."] if median else None,
    )
    lines += section(
        "Best recipes",
        "| network | command | test MSE | PSNR, dB | minutes |",
        [recipe_row(name) for name in done("best-5", "best-30", "conv-30")],
    )
    bounded = done(*BOUNDED)
    lines += section(
        "The variational autoencoders, 50 latents, binarised digits",
        "| network | command | weights | evidence bound, nats | importance-weighted, 500 samples | minutes |",
        [bound_row(name) for name in bounded],
        [
            "",
            "Every training batch is drawn anew as 0 or 1 with the pixels' values as probabilities; the test",
            "images are drawn once, with seed 1. The evidence bound takes one sample and the KL divergence",
            "in closed form. Measured by",
            "`aez eval mnist:test --model NAME.aew --bound --samples 500 --binarize-seed 1`.",
            *(
                line
                for name in bounded
                for line in (
                    "",
                    f"![Sixty samples of {name}]({BOUNDED[name]})",
                    "",
                    f"Sixty samples, none chosen: `aez sample --model {name}.aew --count 60 --columns 20`.",
                )
            ),
        ],
    )
    lines += section(
        "Image sets: 10,000 test digits as files",
        "| model | quality | bytes per image | PSNR, dB | MSE |",
        [quality_row(name, row) for name in done(*CODECS) for row in evaluate(name)["qualities"]],
        ["", "All bytes of the file but the model's are counted. PSNR is of the restored pixels."],
    )
    if done("best-30"):
        lines += section(
            "The same bytes everywhere",
            "| AE_CPU | AE_THREADS | image set | restored |",
            identical_everywhere(str(OUT / "best-30.aew")),
            [
                "",
                "`aez compress` and `aez decompress` of the test images with `best-30`: SHA-256 (first 16",
                "digits) of the image set, and of the restored IDX file.",
            ],
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", default=str(ROOT / "docs/results.md"), help="where the page goes")
    parser.add_argument("--finished", action="store_true", help="train nothing: write of what is finished")
    parser.add_argument("runs", nargs="*", help="train and measure only these, and write no page")
    arguments = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    for name in arguments.runs or (() if arguments.finished else RUNS):
        if name not in RUNS:
            sys.exit(f"no run is named {name}; there are {', '.join(RUNS)}")
        report = evaluate(name)
        print(f"{name}: test MSE {report['mse']:.5f}" if "mse" in report else f"{name}: {report}", flush=True)
    if not arguments.runs:
        text = page([name for name in RUNS if (OUT / f"{name}.aew").exists()])
        page_file = pathlib.Path(arguments.page)
        page_file.write_text(text)
        for name, place in BOUNDED.items():
            model, picture = OUT / f"{name}.aew", page_file.parent / place
            if model.exists():
                picture.parent.mkdir(exist_ok=True)
                grid = ["--count", "60", "--columns", "20", "-o", str(picture), "--force"]
                aez("sample", "--model", str(model), *grid)
        print(text)


if __name__ == "__main__":
    main()
