"""Bars for long calls, by tqdm, by one that stands in for it here, and in lines; and what training shows in
notebooks."""

import copy
import io
import sys
import types

import libae
import numpy as np
import pytest
from libae import _progress


class Recorded:
    """As much of tqdm as is used; what it was told is kept."""

    made: list = []

    def __init__(self, desc, unit, total, initial):
        self.desc, self.unit, self.total, self.n = desc, unit, total, initial
        self.seen, self.facts, self.closed = [initial], [], False
        Recorded.made.append(self)

    def update(self, count):
        assert count >= 0
        self.n += count
        self.seen.append(self.n)

    def set_postfix_str(self, facts, refresh):
        self.facts.append(facts)

    def refresh(self):
        assert not self.closed

    def close(self):
        self.closed = True


@pytest.fixture
def bars(monkeypatch):
    """The bars that are made."""
    monkeypatch.setattr(Recorded, "made", [])
    parent, module = types.ModuleType("tqdm"), types.ModuleType("tqdm.auto")
    module.tqdm = Recorded
    monkeypatch.setitem(sys.modules, "tqdm", parent)
    monkeypatch.setitem(sys.modules, "tqdm.auto", module)
    return Recorded.made


OPTIONS = {"kind": "elu", "latent_size": 3, "hidden": (8,)}


@pytest.mark.filterwarnings("ignore:.* are stored as pixels")  # the model is hardly trained
def test_nothing_is_shown_unless_asked_for(images, bars, capfd):
    for progress in (None, False):
        model = libae.train(images[:50], steps=40, progress=progress, **OPTIONS)
        libae.compress(images, model, progress=progress)
    assert not bars
    assert capfd.readouterr() == ("", "")


def test_training_shows_a_bar_that_moves(images, bars):
    model = libae.train(images, steps=200, progress=True, validation_fraction=0.1, **OPTIONS)
    (bar,) = bars
    assert (bar.desc, bar.unit, bar.total, bar.closed) == ("train", "step", 200, True)
    assert bar.seen == [0, *range(0, 201, 2)]
    assert "dB, validation" in bar.facts[-1]
    plain = libae.train(images, steps=200, validation_fraction=0.1, **OPTIONS)
    assert model.to_bytes() == plain.to_bytes()
    libae.train(images, steps=200, progress=True, progress_interval=150, **OPTIONS)
    assert set(bars[1].seen) == {0, 150, 200}


def test_the_bar_of_a_run_that_goes_on_begins_where_the_run_stands(images, bars):
    trainer = libae.Trainer((12, 10), steps=300, progress_interval=100, **OPTIONS)
    assert trainer.last_progress is None
    assert not trainer.fit(images, lambda progress: False)
    assert trainer.last_progress.step == 100
    resumed = copy.copy(trainer)
    assert trainer.fit(images, True)
    assert set(bars[-1].seen) == {100, 200, 300}
    assert trainer.last_progress.step == 300
    # Of a checkpoint it shows with the first report.
    assert resumed.last_progress is None
    assert resumed.fit(images, True)
    assert set(bars[-1].seen) == {100, 200, 300}
    # And the next call reports as often as was said.
    told = []
    resumed = copy.copy(libae.Trainer((12, 10), steps=1000, **OPTIONS))
    resumed.fit(images[:20], lambda progress: told.append(progress.step))
    assert told == [500, 1000]


def test_a_bar_is_closed_whatever_happens(images, bars):
    def interrupted(*_):
        raise KeyboardInterrupt

    bar_update, Recorded.update = Recorded.update, interrupted
    try:
        for call in (
            lambda: libae.train(images, steps=50, progress=True, **OPTIONS),
            lambda: libae.train_predictor(images, steps=3, hidden=(8,), progress=True),
        ):
            with pytest.raises(KeyboardInterrupt):
                call()
    finally:
        Recorded.update = bar_update
    assert [bar.closed for bar in bars] == [True] * len(bars)
    assert bars


def test_every_long_call_shows_a_bar(images, model, bars, tmp_path):
    libae.compress(images, model, progress=True)
    libae.compress_file(tmp_path / "set.aez", images, model, progress=True)
    libae.append(tmp_path / "set.aez", images[:9], model, progress=True)
    with libae.ImageSetWriter(tmp_path / "other.aez", model, progress=True) as writer:
        writer.add(images[:300])
        writer.add(images[300:])
    assert {bar.desc for bar in bars} == {"compress"}
    assert [bar.seen[-1] for bar in bars[:2]] == [700, 700]
    assert bars[-1].n == 700
    assert all(bar.closed and bar.unit == "image" for bar in bars)
    bars.clear()
    libae.train_predictor(images[:200], steps=5, hidden=(8,), progress=True)
    assert bars
    assert bars[-1].n == bars[-1].total
    assert {bar.desc for bar in bars} == {"train_predictor"}


def test_a_count_that_begins_again_is_another_bar(bars):
    bar = _progress.Bar("fit", "step")
    for done, total in ((0, 90), (50, 90), (10, 400), (400, 400)):
        bar.report(done, total)
    bar.finish()
    bar.close()
    assert [(each.total, each.n, each.closed) for each in bars] == [(90, 50, True), (400, 400, True)]


@pytest.mark.filterwarnings("ignore:.* are stored as pixels")  # the model is hardly trained
def test_without_tqdm_there_are_lines_on_standard_error(images, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    monkeypatch.setattr(_progress._Lines, "hinted", False)
    model = libae.train(images, steps=50, progress=True, **OPTIONS)
    libae.compress(images, model, progress=True)
    out, err = capfd.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert "pip install 'libae[progress]'" in lines[0]
    assert lines[1].startswith("train: 50 of 50 steps, ")
    assert lines[1].endswith(" dB")
    assert lines[2].startswith("compress: 700 of 700 images, ")
    assert len(lines) == 3
    monkeypatch.setattr(sys, "stderr", None)
    libae.train(images, steps=5, progress=True, **OPTIONS)


def test_tqdm_shows_the_bar(images, monkeypatch):
    pytest.importorskip("tqdm", reason="skipped: tqdm is not installed")
    err = io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    libae.train(images, steps=50, progress=True, **OPTIONS)
    assert "train: 100%" in err.getvalue()
    assert "50/50" in err.getvalue()
    assert " dB" in err.getvalue()


def test_what_is_no_progress_is_refused(images, model):
    for call in (
        lambda: libae.compress(images, model, progress="yes"),
        lambda: libae.train(images, steps=1, progress="yes", **OPTIONS),
        lambda: libae.train_predictor(images, progress="yes"),
    ):
        with pytest.raises(TypeError, match="progress: a function, True or False expected, str came"):
            call()


def test_a_notebook_shows_how_training_goes(images):
    trainer = libae.Trainer((12, 10), steps=30, progress_interval=10, **OPTIONS)
    assert "<th>hidden</th><td>8</td>" in trainer._repr_html_()
    assert "of 30" not in trainer._repr_html_()
    trainer.fit(images)
    told = trainer.last_progress
    for html in (trainer._repr_html_(), told._repr_html_()):
        assert "<th>steps</th><td>30 of 30</td>" in html
        assert f"{told.psnr:.2f} dB" in html
    np.testing.assert_allclose(told.mse, 10 ** (-told.psnr / 10))
    trainer.step(images[:10])
    trainer.close()
    assert "closed" in trainer._repr_html_()
    assert "<table>" not in trainer._repr_html_()
