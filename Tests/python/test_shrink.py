"""Models of few bytes: shrinking, in Python as in the tool."""

import json
import os
import subprocess

import libae
import numpy as np
import pytest


def test_a_model_is_shrunk(images, model, tmp_path):
    seen = []
    small = model.shrink(
        images, density=0.2, steps=60, seed=4, progress=lambda done, count: seen.append((done, count))
    )
    assert seen[-1] == (60, 60)
    report = small.shrink_report
    assert report.density == 0.2
    assert report.held_out_count == len(images) // 10
    assert np.isfinite(report.loss)
    assert model.shrink_report is None
    assert libae.Model.open(small.to_bytes()).shrink_report is None
    few, many = len(small.to_bytes(storage="int8")), len(model.to_bytes(storage="int8"))
    assert few < 0.7 * many
    packed = libae.compress(images, small)
    restored = libae.decompress(packed, small)
    assert restored.shape == images.shape


def test_the_tool_makes_the_same(images, model, tmp_path):
    model.save(tmp_path / "model.aew")
    np.save(tmp_path / "images.npy", images)
    command = [
        os.environ["AEZ"],
        "shrink",
        "model.aew",
        "images.npy",
        "-o",
        "small.aew",
        "--density",
        "0.3",
        "--steps",
        "40",
        "--json",
    ]
    facts = json.loads(subprocess.run(command, cwd=tmp_path, check=True, capture_output=True).stdout)
    small = model.shrink(images, density=0.3, steps=40)
    assert facts["hash"] == small.info.hash
    assert facts["loss_db"] == small.shrink_report.loss
    assert (tmp_path / "small.aew").read_bytes() == small.to_bytes(storage="int8")


def test_images_are_optional(model):
    small = model.shrink(density=0.5, steps=5, samples=200)
    assert small.shrink_report.held_out_count == 20


def test_what_is_refused(images, model, decoder):
    with pytest.raises(libae.ArgumentError, match="20 are the fewest, 19 came"):
        model.shrink(images[:19])
    with pytest.raises(libae.ArgumentError, match=r"density must be in 0.001 ... 1, not 2"):
        model.shrink(images, density=2)
    with pytest.raises(libae.ShapeError):
        model.shrink(np.zeros((30, 5, 5), np.uint8))
    with pytest.raises(libae.StoppedError):
        model.shrink(images, steps=500, progress=lambda done, count: False)
    with pytest.raises(libae.KindError, match="has no encoder"):
        decoder.shrink(images)
    pca = libae.train(images, kind="pca", latent_size=3)
    with pytest.raises(libae.KindError, match="its weights are not trained in steps"):
        pca.shrink(images)


@pytest.mark.page
def test_the_page_runs(root, tmp_path, monkeypatch):
    page = (root / "docs" / "shrink.md").read_text()
    commands = page.split("```sh\n")[1].split("```")[0]
    tool = os.path.dirname(os.environ["AEZ"])
    shorter = commands.replace("--count 3000", "--count 300").replace("--steps 2000", "--steps 200")
    shorter = shorter.replace("--steps 1000", "--steps 100")
    assert shorter.count("--steps 100\n") + shorter.count("--steps 100 ") == 1
    environment = {**os.environ, "PATH": f"{tool}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-euc", shorter], cwd=tmp_path, env=environment, check=True, capture_output=True)
    images = libae.decompress((tmp_path / "digits.aez").read_bytes())
    assert images.shape == (300, 28, 28)
    code = page.split("```python\n")[1].split("```")[0].replace("target_loss=0.1", "density=0.3, steps=5")
    monkeypatch.chdir(tmp_path)
    exec(code, {"model": libae.Model.open("small.aew"), "images": images})
    assert libae.Model.open("small.aew").info.storage == "int8"
