"""The exceptions: one for each status, each of them also the built-in one."""

import pickle
import re

import libae
import pytest
from libae import _errors


def statuses(root) -> "dict[str, int]":
    header = (root / "include" / "ae.h").read_text()
    return {name: int(value) for name, value in re.findall(r"(AE_(?:OK|ERROR_\w+)) = (\d+)", header)}


def test_every_status_of_the_header_has_its_exception(root):
    found = statuses(root)
    assert len(found) == 14
    for name, value in found.items():
        assert libae._library.lib.ae_status_string(value).decode() == name
        if value != 0:
            error = _errors.error_for(value, "why")
            assert (error.status, error.name, str(error)) == (value, name, "why")
            assert isinstance(error, libae.Error)
            assert type(error).__name__ in libae.__all__


def test_a_status_that_is_not_known_is_an_internal_error():
    error = _errors.error_for(99, "why")
    assert isinstance(error, libae.InternalError)
    assert "99" in str(error)


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (libae.ArgumentError, ValueError),
        (libae.OutOfMemoryError, MemoryError),
        (libae.FileError, OSError),
        (libae.FormatError, ValueError),
        (libae.ShapeError, ValueError),
        (libae.DivergedError, ArithmeticError),
        (libae.InternalError, RuntimeError),
    ],
)
def test_exceptions_are_the_built_in_ones_too_and_pickle(kind, builtin):
    error = kind("what was wrong")
    assert isinstance(error, builtin)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == "what was wrong"


def test_the_name_of_the_base_class_is_not_that_of_a_status():
    assert (libae.Error.status, libae.Error.name) == (0, "")
