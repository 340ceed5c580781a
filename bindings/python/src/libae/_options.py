"""Tables of options, as the library describes them: Python's keywords, their checks and their documentation.

No option is named here. Each table is asked for once, when the package is imported, and functions that take
its options as keywords get a signature and a docstring made of it; a row that a later library adds is there
at once.
"""

from __future__ import annotations

import ctypes
import functools
import inspect
import numbers
import operator
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Callable, TypeVar

from . import _foreign
from ._errors import ArgumentError
from ._library import Handle, check, lib, opened

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Option:
    """An option of training, compression, quantization, lossless fitting or training predictors: a keyword of
    the functions for it."""

    key: str
    type: str
    """"integer", "number", "flag", "choice", "text" or "integers"."""
    minimum: float
    """Of a number, or of each of `integers`."""
    maximum: float
    """Likewise; of a text, the most bytes of UTF-8."""
    default: Any
    """What holds unless told; None if that follows from other options."""
    automatic: str
    """What None stands for, in words; "" if the option always has a value."""
    choices: tuple[str, ...]
    """Of a "choice"; else ()."""
    documentation: str
    is_implied: bool
    """True if Python takes the value from the images, so that there is no keyword."""
    former: tuple[str, ...] = ()
    """What the tool called it once."""

    @property
    def range_text(self) -> str:
        """What it takes, in words."""
        if self.type == "choice":
            return ", ".join(map(repr, self.choices))
        if self.type == "flag":
            return "True or False"
        if self.type == "text":
            return f"at most {self.maximum:.0f} bytes of UTF-8"
        low, high = (_number_text(bound, self.type) for bound in (self.minimum, self.maximum))
        return f"integers, {low} to {high} each" if self.type == "integers" else f"{low} to {high}"

    @property
    def annotation(self) -> str:
        """The type of the keyword, as a type checker has it."""
        if self.type == "choice":
            words = ", ".join(f'"{choice}"' for choice in self.choices)
            return f"Literal[{words}] | None"
        names = {
            "integer": "int",
            "number": "float",
            "flag": "bool",
            "text": "str",
            "integers": "Sequence[int]",
        }
        return f"{names[self.type]} | None"

    @property
    def sentence(self) -> str:
        """One line of documentation: range, default, and what it is."""
        default = self.automatic or "None" if self.default is None else repr(self.default)
        return f"{self.key}: {self.range_text}; default {default}. {self.documentation}"

    def text(self, value: Any) -> bytes:
        """A value as the library takes it, as text.

        Raises:
            TypeError: it is of another type.
            ArgumentError: a text holds a NUL.
        """
        if isinstance(value, str) and self.automatic and value == "auto":
            return b"auto"
        if self.type == "integer":
            return str(self._integer(value)).encode()
        if self.type == "number":
            if isinstance(value, str) or not isinstance(value, numbers.Real):
                raise TypeError(f"{self.key}: a number expected, {type(value).__name__} came")
            return repr(float(value)).encode()
        if self.type == "flag":
            if isinstance(value, str) or value not in (0, 1):
                raise TypeError(f"{self.key}: True or False expected, {value!r} came")
            return b"true" if value else b"false"
        if self.type == "integers":
            if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
                raise TypeError(f"{self.key}: a sequence of integers expected, {value!r} came")
            return ",".join(str(self._integer(each)) for each in value).encode() or b"none"
        return encoded(value, self.key)

    def _integer(self, value: Any) -> int:
        try:
            return operator.index(value)
        except TypeError:
            raise TypeError(f"{self.key}: an integer expected, {type(value).__name__} came") from None


def _number_text(bound: float, kind: str) -> str:
    if kind != "number" and bound >= 2**31 and bound == 2 ** (int(bound).bit_length() - 1):
        power = int(bound).bit_length() - 1
        # 2**64 - 1 is no number of a double.
        return f"2**{power} - 1" if power == 64 else f"2**{power}"
    return f"{bound:.0f}" if kind != "number" else f"{bound:g}"


@dataclass(frozen=True)
class Preset:
    """Options of training by name: `preset=` takes the name, and every other keyword overrides it."""

    name: str
    summary: str
    options: dict[str, str]
    """What it sets, as text."""


def _parsed(text: str, kind: str, is_optional: bool) -> Any:
    """A value of the table's, in text, as one of Python's."""
    if is_optional and text == "auto":
        return None
    if kind == "integer":
        return int(text)
    if kind == "number":
        return float(text)
    if kind == "flag":
        return text == "true"
    if kind == "integers":
        return () if text == "none" else tuple(int(each) for each in text.split(","))
    return text


class Table:
    """The options of one kind of work, as the library tells them."""

    def __init__(self, number: int, library: Any = lib) -> None:
        """`library` is a parameter for the tests."""
        self.number = number
        self.name = _foreign.TABLES[number]
        self.options: dict[str, Option] = {}
        for index in range(library.ae_option_count(number)):
            told = _foreign.OptionInformation(struct_size=ctypes.sizeof(_foreign.OptionInformation))
            check(library.ae_option_info(number, index, ctypes.byref(told)))
            kind = _foreign.TYPES[told.type]
            key, default, automatic, choices, documentation, former = (
                (text or b"").decode("utf-8")
                for text in (
                    told.key,
                    told.default_value,
                    told.automatic,
                    told.choices,
                    told.documentation,
                    told.former_flags,
                )
            )
            self.options[key] = Option(
                key=key,
                type=kind,
                minimum=told.minimum,
                maximum=told.maximum,
                default=_parsed(default, kind, bool(automatic)),
                automatic=automatic,
                # A number that is no choice has no name.
                choices=tuple(word for word in choices.split(",") if word),
                documentation=documentation,
                is_implied=bool(told.is_implied),
                former=tuple(former.split()),
            )

    @property
    def keywords(self) -> list[Option]:
        """The options that are keywords: all that do not follow from the images."""
        return [option for option in self.options.values() if not option.is_implied]

    def handle(self, values: Mapping[str, Any], preset: str | None = None) -> Handle:
        """The library's options with these values; None stands for the default.

        Raises:
            ArgumentError: there is no such preset, or a value is out of range.
            TypeError: a value is of another type.
        """
        handle = opened(lib.ae_options_free, lambda out: lib.ae_options_create(self.number, out))
        if preset is not None:
            self.set(handle, "preset", encoded(preset, "preset"))
        for key, value in values.items():
            if value is not None:
                self.set(handle, key, self.options[key].text(value))
        return handle

    @staticmethod
    def set(handle: Handle, key: str, text: bytes) -> None:
        """Sets an option from text."""
        check(lib.ae_options_set(handle.pointer, key.encode(), text))

    def get(self, handle: Handle, key: str) -> Any:
        """The value of an option; None for one that follows from others."""
        size = ctypes.c_size_t()
        check(lib.ae_options_get(handle.pointer, key.encode(), None, 0, ctypes.byref(size)))
        room = ctypes.create_string_buffer(size.value)
        check(lib.ae_options_get(handle.pointer, key.encode(), room, len(room), ctypes.byref(size)))
        option = self.options[key]
        return _parsed(room.value.decode("utf-8"), option.type, bool(option.automatic))

    def values(self, handle: Handle) -> dict[str, Any]:
        """All options and what they are."""
        return {key: self.get(handle, key) for key in self.options}

    def nearest(self, word: str, more: Iterable[str] = ()) -> str | None:
        """The keyword that a misspelt one may have been meant for."""
        import difflib  # here, since it is slow to import

        for option in self.keywords:
            if word.replace("_", "-") in option.former:
                return option.key
        known = [*(option.key for option in self.keywords), *more]
        near = difflib.get_close_matches(word, known, 1)
        near += [each for each in known if each.startswith(word) or word.startswith(each)]
        return near[0] if near else None


def encoded(value: Any, name: str) -> bytes:
    """Text as C takes it.

    Raises:
        TypeError: it is none.
        ArgumentError: it holds a NUL, which C would take for its end.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name}: a str expected, {type(value).__name__} came")
    text = value.encode("utf-8")
    if b"\0" in text:
        raise ArgumentError(f"{name}: {value!r} holds a NUL")
    return text


TRAINING, COMPRESSION, QUANTIZATION, LOSSLESS, PREDICTOR, SHRINKING = (
    Table(number) for number in range(len(_foreign.TABLES))
)


def options(table: str) -> tuple[Option, ...]:
    """The options of a table, in its order: "training", "compression", "quantization", "lossless",
    "predictor" or "shrinking"."""
    if table not in _foreign.TABLES:
        raise ArgumentError(f"table: one of {', '.join(_foreign.TABLES)} expected, {table!r} came")
    tables = (TRAINING, COMPRESSION, QUANTIZATION, LOSSLESS, PREDICTOR, SHRINKING)
    return tuple(tables[_foreign.TABLES.index(table)].options.values())


def presets() -> tuple[Preset, ...]:
    """The presets of training, in the library's order."""
    found = []
    for index in range(lib.ae_preset_count()):
        told = _foreign.PresetInformation(struct_size=ctypes.sizeof(_foreign.PresetInformation))
        check(lib.ae_preset_info(index, ctypes.byref(told)))
        name, summary, pairs = (text.decode("utf-8") for text in (told.name, told.summary, told.options))
        found.append(Preset(name, summary, dict(pair.split("=", 1) for pair in pairs.split())))
    return tuple(found)


_PLACE = "{options}\n"


def documented(text: str | None, table: Table, without: Iterable[str] = ()) -> str | None:
    """A docstring with the table's options in the place of a line `{options}`."""
    if text is None or _PLACE not in text:
        return text
    before, after = text.split(_PLACE)
    indent = before[len(before.rstrip(" ")) :]
    left_out = set(without)
    lines = [
        textwrap.fill(option.sentence, 112, initial_indent=indent, subsequent_indent=f"{indent}    ") + "\n"
        for option in table.keywords
        if option.key not in left_out
    ]
    return before.rstrip(" ") + "".join(lines) + after


def taking(
    table: Table, without: Iterable[str] = (), are_unset: bool = False
) -> Callable[[_Function], _Function]:
    """Lets a function that takes **options take those of a table, and no others.

    Its signature and its docstring then have them all. An option that is a parameter of the function's own,
    too, is not added. A keyword that there is none of is a TypeError that says which one may have been
    meant.

    Args:
        table: of the options.
        without: options that the function does not take.
        are_unset: the signature's defaults are None, which stands for the table's or a preset's.
    """
    left_out = set(without)

    def decorate(function: _Function) -> _Function:
        signature = inspect.signature(function)
        own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        names = {each.name for each in own} - {"self", "cls"}
        added = [
            inspect.Parameter(
                option.key,
                inspect.Parameter.KEYWORD_ONLY,
                default=None if are_unset else option.default,
                annotation=option.annotation,
            )
            for option in table.keywords
            if option.key not in names | left_out
        ]
        known = names | {each.name for each in added}

        @functools.wraps(function)
        def checked(*arguments: Any, **given: Any) -> Any:
            if not known.issuperset(given):
                (name, *_) = (each for each in given if each not in known)
                near = table.nearest(name, names)
                near = near if near in known else None
                hint = f"; did you mean {near!r}?" if near else f"; there are {', '.join(sorted(known))}"
                raise TypeError(f"{function.__qualname__}() has no option {name!r}{hint}")
            return function(*arguments, **given)

        checked.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
        checked.__doc__ = documented(function.__doc__, table, names | left_out)
        return checked  # type: ignore[return-value]

    return decorate
