"""The study: its folder, its numbers, its page, and the decoders that run in the page."""

import base64
import json
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, TOOL, environment, fails, ok, run
from imagefiles import npy, read_npy, read_png

EXPERIMENTS = "linear activations variational dimensions thirty classification ball pen compression".split()
KINDS = {"PCA", "linear", "sigmoid", "ReLU", "ELU", "VAE", "conv VAE"}
TINY = ["study", "--tiny", "--drawn", "--quiet"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The folder of a study of seconds."""
    folder = tmp_path_factory.mktemp("study") / "out"
    assert ok(*TINY, "-o", folder).out == b""
    return folder


@pytest.fixture(scope="module")
def results(study) -> dict:
    return json.loads((study / "results.json").read_text())


@pytest.fixture(scope="module")
def page(study) -> str:
    return (study / "index.html").read_text()


@pytest.fixture(scope="module")
def explorer(page) -> dict:
    return json.loads(re.search(r'id="explorer-data">(.*?)</script>', page, re.S)[1])


# ---- Numbers ----


def test_every_experiment_has_numbers_and_figures(study, results):
    assert list(results) == ["study", "version", "kernels", "threads", "experiments"]
    assert results["study"]["scale"] == "tiny"
    assert results["study"]["data"] == "drawn digits"
    assert list(results["experiments"]) == EXPERIMENTS
    for key, experiment in results["experiments"].items():
        assert experiment["title"]
        assert experiment["finding"]
        assert experiment["seconds"] >= 0
        assert len(experiment["figures"]) >= 2, key
        for figure in experiment["figures"]:
            assert figure["caption"], key
            assert figure["run"].startswith("Trial run"), key
            if figure["type"] == "table":
                assert all(len(row) == len(figure["columns"]) for row in figure["rows"])
            for item in figure.get("rows", []) if figure["type"] == "strips" else [figure]:
                if figure["type"] == "picture" or figure["type"] == "strips":
                    shape = read_png((study / item["file"]).read_bytes()).shape
                    assert shape == (item["height"], item["width"])
                elif figure["type"] == "chart":
                    assert (study / figure["file"]).read_text().startswith("<svg")


def test_numbers_are_those_of_the_kept_networks(tmp_path, study, results):
    ok("draw", "-o", "test.idx", "--count", 200, "--seed", 2, cwd=tmp_path)
    for row in results["experiments"]["activations"]["networks"]:
        model = study / f"kept/{row['kind']}-{row['latents']}.aew"
        facts = json.loads(ok("eval", tmp_path / "test.idx", "--model", model, "--json").out)
        assert facts["mse"] == pytest.approx(row["test_mse"], rel=1e-9)
    dimensions = results["experiments"]["dimensions"]
    for kind, curve in dimensions["curves"].items():
        model = study / f"kept/sweep-{kind}-{curve['d'][-1]}.aew"
        facts = json.loads(ok("eval", tmp_path / "test.idx", "--model", model, "--json").out)
        assert facts["mse"] == pytest.approx(curve["test_mse"][-1], rel=1e-9)


def test_the_answer_follows_from_the_estimates(results):
    dimensions = results["experiments"]["dimensions"]
    values = sorted(row["dimension"] for row in dimensions["estimates"])
    assert all(row["low"] <= row["dimension"] <= row["high"] for row in dimensions["estimates"])
    number = r"(\d+(?:\.\d)?)"
    said = re.match(
        rf"About {number} dimensions: estimates are from {number} to {number} by how one asks, "
        rf"their bounds from {number} to {number}; ",
        dimensions["answer"],
    )
    assert [float(one) for one in said.groups()] == pytest.approx(
        [
            round(float(np.median(values))),
            values[0],
            values[-1],
            min(row["low"] for row in dimensions["estimates"]),
            max(row["high"] for row in dimensions["estimates"]),
        ],
        abs=0.051,
    )
    inside = sum(10 <= value <= 100 for value in values)
    words = {len(values): f"all {inside}", 0: "none of"}.get(inside, f"{inside} of {len(values)}")
    assert words in dimensions["answer"]
    assert dimensions["finding"] == dimensions["answer"]


def test_pca_is_the_floor_of_linear_maps(results):
    linear = results["experiments"]["linear"]
    assert [row["step"] for row in linear["linear_test_mse"]] == [10, 20, 30]
    assert all(row["mse"] > 0.9 * linear["pca_test_mse"] for row in linear["linear_test_mse"])
    angles = np.array(linear["angles_degrees"])
    assert angles.shape == (5, 3)
    assert (angles > 0).all()
    assert (angles <= 90).all()


def test_the_known_manifold_is_seen(results):
    # Even 400 clips tell that it is neither a line nor a space of hundreds.
    for key in ["ball", "pen"]:
        found = results["experiments"][key]
        assert found["dimension"] == 6
        assert len(found["parameters"]) == 6
        assert 3 < found["two_nn"] < 9
        for scores in [found["r2_linear_by_parameter"], found["r2_nearest_by_parameter"]]:
            assert len(scores) == 6
            assert all(-2 < score <= 1 for score in scores), scores


def test_every_network_is_classified_by_and_compressed_with(results):
    lengths: dict[int, set[str]] = {}
    for row in results["experiments"]["classification"]["features"]:
        lengths.setdefault(row["numbers"], set()).add(row["features"])
        assert 0 <= row["nearest_accuracy"] <= 1
        assert 0 <= row["logistic_accuracy"] <= 1
    assert lengths == {784: {"raw pixels"}, 5: KINDS, 16: {"PCA", "ELU", "VAE", "conv VAE"}}
    rates = results["experiments"]["compression"]["networks"]
    assert {row["kind"] for row in rates} == {"pca", "linear", "sigmoid", "relu", "elu", "vae", "conv-vae"}


def test_thirty_numbers_are_by_the_protocol_and_by_the_preset(tmp_path, study, results):
    found = results["experiments"]["thirty"]
    assert [row["test_mse"] for row in found["references"]] == [0.00383, 0.00343]
    plain, best = found["recipes"]
    assert plain["recipe"].startswith(
        "aez train --kind elu --latent-size 30 --hidden 24 --output-activation linear --steps 30 "
    )
    # What the preset says, but for the steps: as `aez train` records it, here of narrow layers, which are
    # fitted faster.
    widths = re.search(r"^  conv-30: .*?(--hidden [0-9,]+)", ok("train", "--help").text, re.M | re.S)[1]
    assert f" {widths} " in best["recipe"]
    ok("draw", "-o", "train.idx", "--count", 100, cwd=tmp_path)
    narrow = "--hidden 4,4,8"
    ok(*f"train train.idx --preset conv-30 {narrow} --steps 2 -o best.aew --quiet".split(), cwd=tmp_path)
    facts = json.loads(ok("info", "best.aew", "--json", cwd=tmp_path).out)
    assert found["latents"] == 30
    assert best["recipe"].replace(widths, narrow) in json.dumps(facts)
    ok("draw", "-o", "test.idx", "--count", 200, "--seed", 2, cwd=tmp_path)
    for row in found["recipes"]:
        model = study / f"kept/{row['run']}.aew"
        facts = json.loads(ok("eval", tmp_path / "test.idx", "--model", model, "--json").out)
        assert facts["mse"] == pytest.approx(row["test_mse"], rel=1e-9)
        assert f"{row['test_mse']:.5f}" in found["finding"]


def test_other_codecs_are_as_the_benchmark_measured_them(results):
    script = ROOT / "tools/study/codec-curves.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    if done.returncode == 3:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stderr
    names = [codec["name"] for codec in results["experiments"]["compression"]["other_codecs"]]
    assert names == ["AVIF", "JPEG XL", "WebP", "JPEG 2000"]


# ---- The program ----


def test_the_study_is_started_from_where_it_is(tmp_path):
    """Beside the tool, else in ../libexec/aez, else on PATH: with all that the tool was given."""
    for folder in ["bin", "libexec/aez", "path"]:
        (tmp_path / folder).mkdir(parents=True)
    aez = tmp_path / "bin/aez"
    shutil.copy(TOOL, aez)
    (tmp_path / "link").symlink_to(aez)

    def start(*arguments):
        env = environment(PATH=f"{tmp_path}/none:{tmp_path}/path:/usr/bin:/bin", WORD="from outside")
        command = [tmp_path / "link", *arguments]
        return subprocess.run(command, input=b"given", capture_output=True, env=env, check=False)

    done = start("study", "--help")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == (
        "aez: the study is a program of its own, aez-study, which is neither beside aez nor in "
        "../libexec/aez nor on PATH: build it (make study, or swift build -c release --product aez-study), "
        "or install it (make install)\n"
    )
    for folder in ["path", "libexec/aez", "bin"]:
        program = tmp_path / folder / "aez-study"
        program.write_text(f"""#!/bin/sh
            echo {folder} "$#" "$@" "$WORD" "$(cat)"
            echo said >&2
            exit 7""")
        program.chmod(0o755)
        done = start("study", b"\xff", "a b")
        assert done.stdout == folder.encode() + b" 2 \xff a b from outside given\n"
        assert (done.returncode, done.stderr) == (7, b"said\n")
    assert start("help", "study").stdout == b"bin 1 --help from outside given\n"
    # One that cannot be run is told of, and no other is taken.
    program.chmod(0o644)
    done = start("study")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == f"aez: cannot run {program}: Permission denied\n"


# ---- The folder ----


def test_a_finished_study_is_written_again_at_once(study, results):
    before = {path: path.stat().st_mtime_ns for path in (study / "kept").iterdir()}
    page = (study / "index.html").read_bytes()
    (study / "index.html").unlink()
    report = json.loads(ok("study", "--tiny", "--drawn", "--json", "-o", study).out)
    assert list(report) == [
        *["output", "page", "data", "scale", "experiments", "seconds", "training_seconds", "answer"]
    ]
    assert report["experiments"] == EXPERIMENTS
    assert {path: path.stat().st_mtime_ns for path in (study / "kept").iterdir()} == before
    assert (study / "index.html").read_bytes() == page
    assert json.loads((study / "results.json").read_text()) == results


def timeless(value):
    """Numbers of a study but for those that a clock told."""
    if isinstance(value, list):
        return [timeless(item) for item in value]
    if not isinstance(value, dict):
        return value
    value = {key: timeless(item) for key, item in value.items() if "seconds" not in key}
    if value.get("type") == "table":
        kept = [i for i, name in enumerate(value["columns"]) if "seconds" not in name]
        value["rows"] = [[row[i] for i in kept] for row in value["rows"]]
    return value


def test_a_study_that_was_stopped_goes_on(tmp_path, study, results):
    command = [TOOL, *TINY, "-o", "out"]
    for count in (2, 9):
        process = subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE)
        while len(list((tmp_path / "out/kept").glob("*.aew"))) < count:
            assert process.poll() is None
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=60)[1].decode()
        assert (process.returncode, error) == (
            1,
            "aez: stopping\naez: stopped; what is finished is kept in out: the same command goes on\n",
        )
    ok(*TINY, "-o", "out", cwd=tmp_path)
    names = sorted(path.name for path in (study / "kept").glob("*.aew"))
    assert names == sorted(path.name for path in (tmp_path / "out/kept").glob("*.aew"))
    for left in ["*.checkpoint", "*.partial.json"]:
        assert not list((tmp_path / "out/kept").glob(left))
    for name in names:
        assert (tmp_path / "out/kept" / name).read_bytes() == (study / "kept" / name).read_bytes(), name
    assert timeless(json.loads((tmp_path / "out/results.json").read_text())) == timeless(results)
    # All pictures and charts are the same, too, but the one that is drawn over seconds.
    for path in [*study.glob("*.png"), *study.glob("*.svg")]:
        if path.name != "activations-seconds.svg":
            assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes(), path.name


def test_some_experiments_alone_and_then_others(tmp_path):
    ok(*TINY, "-o", "out", "--only", "ball", cwd=tmp_path)
    assert list(json.loads((tmp_path / "out/results.json").read_text())["experiments"]) == ["ball"]
    ok(*TINY, "-o", "out", "--only", "linear,ball", cwd=tmp_path)
    assert list(json.loads((tmp_path / "out/results.json").read_text())["experiments"]) == ["linear", "ball"]
    assert "explorer-data" not in (tmp_path / "out/index.html").read_text()


def test_networks_of_presets_that_were_trained_before_are_taken(tmp_path, study):
    made = (study / "kept/conv-30.aew").read_bytes()
    thirty = ["study", "--tiny", "--drawn", "--only", "thirty"]
    ok(*thirty, "-o", "a", "--trained", study / "kept", cwd=tmp_path)
    assert (tmp_path / "a/kept/conv-30.aew").read_bytes() == made
    kept = json.loads((tmp_path / "a/kept/conv-30.json").read_text())
    assert kept["trained"] == f"{study}/kept/conv-30.aew"
    # Of the other network, no preset, there is more to know than its weights.
    assert json.loads((tmp_path / "a/kept/elu-30.json").read_text())["curve"]

    (tmp_path / "models").mkdir()
    shutil.copy(study / "kept/elu-30.aew", tmp_path / "models/conv-30.aew")
    message = "models/conv-30.aew is of another recipe or of other images, "
    message += "so that the network is trained anew"
    told = run(*thirty, "-o", "b", "--trained", "models/", cwd=tmp_path)
    assert (told.code, told.err) == (0, f"aez: {message}\n")
    assert (tmp_path / "b/kept/conv-30.aew").read_bytes() == made
    fails(1, "none: is no folder", *TINY, "-o", "c", "--trained", "none", cwd=tmp_path)


def test_what_a_study_refuses(tmp_path, study):
    fails(
        1,
        f"{study}: holds a study of other options or images; name another folder",
        *["study", "--quick", "--drawn", "-o", study],
    )
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/letter.txt").write_text("Dear")
    message = "taken: holds other files; a study wants a folder of its own"
    fails(1, message, *TINY, "-o", "taken", cwd=tmp_path)
    message = "letter.txt: exists already, and is no folder"
    fails(1, message, *TINY, "-o", "letter.txt", cwd=tmp_path / "taken")
    message = f"Error: There is no experiment nine: {', '.join(EXPERIMENTS)}."
    fails(64, message.removeprefix("Error: "), *TINY, "-o", "x", "--only", "nine", cwd=tmp_path)


# ---- The page ----


def test_the_page_needs_nothing_beside_it(page, results):
    assert page.count("<section") == len(EXPERIMENTS) + 1
    addresses = set(re.findall(r"https?://[^\"'\s<)]+", page))
    assert addresses == {"http://www.w3.org/2000/svg"}
    for attribute in ["src", "href", "srcset", "poster"]:
        for value in re.findall(rf'\b{attribute}="([^"]*)"', page):
            assert value.startswith("data:") or re.fullmatch(r"#[a-z]+", value), value
    assert "@import" not in page
    assert "url(" not in page
    assert "fetch(" not in page
    assert "prefers-color-scheme:dark" in page
    assert "@media print" in page
    for experiment in results["experiments"].values():
        for figure in experiment["figures"]:
            assert figure["run"].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in page
    # Every picture has words for those who cannot see it.
    assert all(re.search(r'alt="[^"]+', image) for image in re.findall(r"<img [^>]*>", page))


def test_no_two_lines_of_a_chart_share_a_colour(study, results):
    for experiment in results["experiments"].values():
        for figure in experiment["figures"]:
            if figure["type"] == "chart":
                chart = (study / figure["file"]).read_text()
                colours = re.findall(r'class="line[^"]*" style="stroke:var\(--c(\d)\)"', chart)
                assert len(colours) == len(set(colours)), figure["file"]


def test_the_page_says_at_its_top_which_study_and_which_images(page):
    top = page[page.index("<header>") : page.index("</header>")]
    assert "An Exploration of Auto Encoders on MNIST" in top
    assert "measured on drawn digits, not on MNIST" in top


def test_results_of_other_images_stand_beside_none(page, results):
    body = re.sub(r"<script>.*", "", page, flags=re.S)
    for name in ["AVIF", "JPEG 2000", "Hinton"]:
        assert name not in body
    assert "Other codecs are left out" in body


def test_words_between_backticks_are_code(page):
    text = re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.S)
    assert "`" not in text
    assert "<code>" in text


def test_a_chart_that_is_wider_than_the_screen_says_so(page, results):
    charts = sum(
        figure["type"] == "chart"
        for experiment in results["experiments"].values()
        for figure in experiment["figures"]
    )
    assert page.count('<p class="swipe">') == charts


def linear(colours: list[str]) -> np.ndarray:
    """sRGB colours as intensities of red, green and blue."""
    values = np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in colours])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(intensities: np.ndarray) -> np.ndarray:
    """CIELAB under daylight (D65)."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = np.clip(intensities, 0, 1) @ to_xyz.T / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


# What is seen without one kind of cones: Machado, Oliveira and Fernandes 2009, severity 1.
SIGHTS = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.3039],
    ],
}


def test_names_of_series_stand_under_their_chart_too(page, results):
    found = re.findall(r'<p class="key">(.*?)</p>', page, re.S)
    keys = [re.findall(r"</svg>([^<]*)</span>", key) for key in found]
    named = [
        [series["name"] for series in figure["series"]]
        for experiment in results["experiments"].values()
        for figure in experiment["figures"]
        if figure["type"] == "chart" and len(figure["series"]) > 1
    ]
    assert ["linear", "sigmoid", "ReLU", "ELU"] in named
    assert keys == named


def test_everyone_can_tell_the_colours_apart(page):
    schemes = re.findall(
        r"((?:--c\d:#[0-9a-f]{6};){8})--fg:#[0-9a-f]{3,6};.*?--page:(#[0-9a-f]{3,6})", page, re.S
    )
    assert len(schemes) == 3  # by day, by night, on paper
    for colours, paper in schemes:
        values = linear(re.findall(r"#[0-9a-f]{6}", colours))
        ground = linear(["#ffffff" if paper == "#fff" else paper])
        light, behind = values @ [0.2126, 0.7152, 0.0722] + 0.05, ground @ [0.2126, 0.7152, 0.0722] + 0.05
        # 3 is what the Web Content Accessibility Guidelines ask of graphics.
        assert (np.maximum(light, behind) / np.minimum(light, behind) > 3.3).all()
        for sight, seen in SIGHTS.items():
            places = lab(values @ np.array(seen).T)
            apart = np.linalg.norm(places[:, None] - places[None], axis=2) + 1000 * np.eye(8)
            assert apart.min() > 14, (sight, np.argwhere(apart <= 14))


def halves(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f2").astype(np.float64)


def spread(shape: dict, x: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """A transposed convolution: each coarse pixel adds a window to the fine picture."""
    (fw, fh, fc), (cw, ch, cc) = shape["fine"], shape["coarse"]
    kernel, stride, padding = shape["kernel"], shape["stride"], shape["padding"]
    weights = weights.reshape(kernel, kernel, fc, cc)
    # With room around it for what falls outside.
    room = np.zeros((len(x), ch * stride + 2 * kernel, cw * stride + 2 * kernel, fc))
    windows = np.einsum("nyxc,klfc->nyxklf", x.reshape(-1, ch, cw, cc), weights)
    for y in range(ch):
        for z in range(cw):
            top, left = y * stride - padding + kernel, z * stride - padding + kernel
            room[:, top : top + kernel, left : left + kernel] += windows[:, y, z]
    return (room[:, kernel : kernel + fh, kernel : kernel + fw] + bias).reshape(len(x), -1)


def decode(model: dict, codes: np.ndarray) -> np.ndarray:
    """What the page's script does, from the page's weights."""
    x = codes.astype(np.float64)
    for layer in model["layers"]:
        if "convolution" in layer:
            x = spread(layer["convolution"], x, halves(layer["weights"]), halves(layer["bias"]))
        else:
            weights = halves(layer["weights"]).reshape(layer["outputs"], layer["inputs"])
            x = x @ weights.T + halves(layer["bias"])
        if layer["activation"] == "elu":
            x = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
        elif layer["activation"] == "sigmoid":
            x = 1 / (1 + np.exp(-x))
        else:
            assert layer["activation"] == "identity"
    return np.floor(np.clip(x, 0, 1) * 255 + 0.5).astype(int)


def library(study, tmp_path, run: str, codes: np.ndarray) -> np.ndarray:
    (tmp_path / "codes.npy").write_bytes(npy(codes.astype(np.float32)))
    ok("decode", "codes.npy", "--model", study / f"kept/{run}.aew", "-o", "out.npy", "--force", cwd=tmp_path)
    return read_npy((tmp_path / "out.npy").read_bytes()).reshape(len(codes), -1).astype(int)


def test_the_weights_in_the_page_draw_what_the_library_draws(tmp_path, study, explorer):
    assert [model["run"] for model in explorer["models"]] == ["vae-map", "vae-20", "conv-vae-20"]
    for model in explorer["models"]:
        codes = np.random.default_rng(1).normal(size=(200, model["latents"]))
        drawn = decode(model, codes)
        assert np.ptp(drawn) > 50
        assert np.abs(drawn - library(study, tmp_path, model["run"], codes)).max() <= 1
        assert sorted(model["order"]) == list(range(model["latents"]))
        assert np.shape(model["examples"]) == (10, model["latents"])


CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)


@pytest.mark.skipif(CHROMIUM is None, reason="the latent explorer needs chromium to be tested in")
def test_the_explorer_runs_in_a_browser(tmp_path, study, page, explorer):
    codes = np.random.default_rng(2).normal(size=(8, 2)).round(3)
    # The page as it is, with an ear for errors before it and a hand on its controls after it.
    before = "<script>window.errors=[];window.onerror=m=>{errors.push(String(m))};</script>"
    after = """<script>
      const pixels=()=>{const c=document.getElementById('digit');
        return [...c.getContext('2d').getImageData(0,0,c.width,c.height).data].filter((_,i)=>i%4===0)};
      const drawn=CODES.map(code=>[...aeStudy.decode(aeStudy.data.models[0],code)]);
      const folded=[...aeStudy.decode(aeStudy.data.models[2],aeStudy.data.models[2].examples[4])];
      const start=pixels(),slider=document.querySelector('#explorer input[type=range]');
      slider.value=2;slider.dispatchEvent(new Event('input'));const moved=pixels();
      document.querySelectorAll('#explorer .tabs button')[1].click();const other=pixels();
      const sliders=document.querySelectorAll('#explorer input[type=range]').length;
      document.getElementById('random').click();const random=pixels();
      document.querySelectorAll('#explorer .examples button')[4].click();const example=pixels();
      const out=document.createElement('pre');out.id='outcome';
      out.textContent=JSON.stringify({errors,drawn,folded,start,moved,other,sliders,random,example});
      document.body.append(out);</script>""".replace("CODES", json.dumps(codes.tolist()))
    copy = tmp_path / "page.html"
    copy.write_text(page.replace("<head>", "<head>" + before).replace("</body>", after + "</body>"))
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", copy.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    outcome = json.loads(re.search(r'<pre id="outcome">(.*?)</pre>', done.stdout, re.S)[1])
    assert outcome["errors"] == []
    assert np.abs(np.array(outcome["drawn"]) - library(study, tmp_path, "vae-map", codes)).max() <= 1
    zero, moved = np.zeros((1, 2)), np.array([[2.0, 0.0]])
    assert np.abs(outcome["start"] - library(study, tmp_path, "vae-map", zero)).max() <= 1
    assert np.abs(outcome["moved"] - library(study, tmp_path, "vae-map", moved)).max() <= 1
    assert outcome["moved"] != outcome["start"]
    assert outcome["sliders"] == 20
    assert outcome["random"] != outcome["other"]
    example = np.array(explorer["models"][1]["examples"][4])[None]
    assert np.abs(outcome["example"] - library(study, tmp_path, "vae-20", example)).max() <= 1
    example = np.array(explorer["models"][2]["examples"][4])[None]
    assert np.abs(outcome["folded"] - library(study, tmp_path, "conv-vae-20", example)).max() <= 1
