"""Keywords from the library's tables: signatures, help, checks and types, of rows that nobody typed here."""

import ctypes
import inspect
import pydoc
import re
import subprocess
import sys

import libae
import numpy as np
import pytest
from libae import _foreign, _library, _options

FUNCTIONS = {
    "training": (libae.Trainer, libae.train),
    "compression": (libae.compress, libae.compress_file, libae.ImageSetWriter),
    "quantization": (libae.Model.quantize,),
    "lossless": (libae.Model.fit_lossless,),
    "predictor": (libae.train_predictor,),
}
TABLES = [(table, function) for table, functions in FUNCTIONS.items() for function in functions]


def keywords(table):
    return [option for option in libae.options(table) if not option.is_implied]


@pytest.mark.parametrize(("table", "function"), TABLES)
def test_signatures_have_every_option_with_its_default(table, function):
    parameters = inspect.signature(function).parameters
    assert keywords(table)
    for option in keywords(table):
        parameter = parameters[option.key]
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.default == option.default
        assert parameter.annotation == option.annotation
    assert not any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    assert not any(option.key in parameters for option in libae.options(table) if option.is_implied)


@pytest.mark.parametrize(("table", "function"), TABLES)
def test_help_tells_of_every_option_its_range_its_default_and_what_it_is(table, function):
    said = " ".join(pydoc.plain(pydoc.render_doc(function)).replace("|", " ").split())
    assert "{options}" not in said
    for option in keywords(table):
        assert " ".join(option.sentence.split()) in said
        assert option.documentation
        assert option.range_text in option.sentence
        default = option.automatic if option.default is None else repr(option.default)
        assert f"default {default}." in option.sentence


def test_tables_tell_what_the_library_tells():
    assert libae.options("training")[0].key == "kind"
    named = {option.key: option for option in libae.options("training")}
    assert named["steps"].type == "integer"
    assert (named["steps"].minimum, named["steps"].default) == (1, 50000)
    assert named["learning_rate"].default == 1e-3
    assert named["binarize"].default is False
    assert named["latent_size"].default is None
    assert "20" in named["latent_size"].automatic
    assert named["seed"].range_text == "0 to 2**64 - 1"
    # A predictor is a kind of model, and none that is trained with these options.
    assert named["kind"].choices == tuple(kind for kind in _foreign.KINDS if kind != "predictor")
    assert named["width"].is_implied
    with pytest.raises(libae.ArgumentError, match="one of training, compression"):
        libae.options("cooking")


@pytest.mark.parametrize(
    ("table", "key", "prefix"),
    [
        ("training", "kind", "AE_KIND_"),
        ("training", "loss", "AE_LOSS_"),
        ("training", "output_activation", "AE_OUTPUT_"),
        ("training", "schedule", "AE_SCHEDULE_"),
        ("compression", "mode", "AE_MODE_"),
        ("compression", "method", "AE_METHOD_"),
    ],
)
def test_choices_are_numbered_as_in_the_header(root, table, key, prefix):
    header = (root / "include" / "ae.h").read_text()
    found = {name: int(value) for name, value in re.findall(rf"\b{prefix}(\w+) = (\d+)", header)}
    (option,) = (option for option in libae.options(table) if option.key == key)
    if key == "kind":
        assert found.pop("PREDICTOR") == 7
    numbers = {word: number for number, word in enumerate(option.choices)}
    if key == "kind":
        # Its number 7 is no choice: predictors are not trained with these options.
        numbers = {word: _foreign.KINDS.index(word) for word in option.choices}
    assert found == {word.upper().replace("-", "_"): number for word, number in numbers.items()}


class WithOneMore:
    """The library, with one row more in each table than it has."""

    def ae_option_count(self, table):
        return _library.lib.ae_option_count(table) + 1

    def ae_option_info(self, table, index, told):
        if index < _library.lib.ae_option_count(table):
            return _library.lib.ae_option_info(table, index, told)
        row = told._obj
        row.type, row.is_implied, row.minimum, row.maximum = _foreign.TYPES.index("number"), 0, 0.5, 3
        row.key, row.default_value, row.automatic, row.choices = b"sharpness", b"1.5", b"", b""
        row.documentation, row.former_flags = b"How sharp edges are kept.", b"sharp"
        return 0


def test_a_new_row_is_a_keyword_at_once():
    table = _options.Table(1, WithOneMore())

    @_options.taking(table)
    def pack(images, *, progress=None, **options):
        """Packs.

        Args:
            images: to pack.
            {options}
        """
        return options

    parameters = inspect.signature(pack).parameters
    assert list(parameters)[:2] == ["images", "progress"]
    assert parameters["sharpness"].default == 1.5
    assert "            sharpness: 0.5 to 3; default 1.5. How sharp edges are kept.\n" in pack.__doc__
    assert pack(1, sharpness=2.0) == {"sharpness": 2.0}
    with pytest.raises(TypeError, match="no option 'sharpnes'; did you mean 'sharpness'"):
        pack(1, sharpnes=2.0)
    with pytest.raises(TypeError, match="no option 'sharp'; did you mean 'sharpness'"):
        pack(1, sharp=2.0)


def test_misspelt_keywords_are_told_which_was_meant(images, model):
    for call, wrong, right in (
        (libae.Trainer, "step", "steps"),
        (libae.Trainer, "latent_dim", "latent_size"),
        (libae.Trainer, "output", "output_activation"),
        (libae.Trainer, "rate", "learning_rate"),
        (lambda **options: libae.train(images, **options), "hiden", "hidden"),
        (lambda **options: libae.compress(images, **options), "qualty", "quality"),
        (lambda **options: libae.compress_file("x", images, **options), "lables", "labels"),
        (lambda **options: libae.ImageSetWriter("x", **options), "block_image", "block_images"),
        (lambda **options: model.fit_lossless(images, **options), "stps", "steps"),
    ):
        with pytest.raises(TypeError, match=f"'{wrong}'; did you mean '{right}'"):
            call(**{wrong: 3})
    with pytest.raises(TypeError, match="'zzzz'; there are .*steps"):
        libae.train(images, zzzz=3)
    # What follows from the images is no keyword.
    with pytest.raises(TypeError, match="no option 'width'"):
        libae.train(images, width=10)


def test_none_stands_for_the_default():
    nothing = dict.fromkeys(option.key for option in keywords("training"))
    assert libae.Trainer(**nothing).options == libae.Trainer().options


def test_values_reach_the_library_as_they_are():
    given = {
        "kind": "vae",
        "latent_size": np.int64(7),
        "hidden": np.array([9, 8]),
        "loss": "mse",
        "seed": 2**64 - 1,
        "steps": 3,
        "learning_rate": np.float32(0.1),
        "noise": 1,
        "binarize": np.True_,
        "name": "né",
    }
    options = libae.Trainer((9, 33), **given).options
    assert (options["height"], options["width"]) == (9, 33)
    assert options["hidden"] == (9, 8)
    assert options["learning_rate"] == float(np.float32(0.1))
    assert options["binarize"] is True
    for key in ("kind", "latent_size", "loss", "seed", "steps", "noise", "name"):
        assert options[key] == given[key]
    assert libae.Trainer(hidden=()).options["hidden"] == ()
    assert libae.Trainer(hidden=[5]).options["hidden"] == (5,)


@pytest.mark.parametrize(
    "options",
    [
        {"steps": "3"},
        {"steps": 3.0},
        {"learning_rate": "1e-3"},
        {"learning_rate": 1j},
        {"binarize": "yes"},
        {"binarize": 2},
        {"hidden": 5},
        {"hidden": "500,500"},
        {"hidden": (5.0,)},
        {"kind": 3},
        {"name": b"name"},
        {"preset": 1},
    ],
)
def test_values_of_other_types_are_type_errors(options):
    (name,) = options
    with pytest.raises(TypeError, match=name):
        libae.Trainer(**options)


def test_values_out_of_range_are_told_the_range():
    for options in ({"batch_size": 0}, {"steps": -1}, {"validation_fraction": 0.75}, {"kind": "gan"}):
        (name,) = options
        with pytest.raises(libae.ArgumentError, match=f"{name} (must be in|takes)"):
            libae.Trainer(**options)


def test_what_type_checkers_know_is_what_the_library_tells(root):
    script = root / "bindings" / "python" / "generate_options.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for table, name in zip(_foreign.TABLES, ("Training", "Compression", "Quantization", "Lossless")):
        known = getattr(libae, f"{name}Options").__annotations__
        assert list(known) == [option.key for option in keywords(table)]


def test_an_option_information_that_grows_is_asked_for_by_its_size():
    told = _foreign.OptionInformation(struct_size=ctypes.sizeof(_foreign.OptionInformation))
    assert _library.lib.ae_option_info(0, 10**6, ctypes.byref(told)) == _foreign.STATUS_ARGUMENT
    assert _library.lib.ae_option_count(99) == 0
