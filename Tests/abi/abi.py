#!/usr/bin/env python3
"""Holds today's header and library against those that programs were compiled with.

Tests/abi/VERSION/ keeps, of the first version with today's soname and of every release since: ae.h as it was;
layout.txt, what a compiler makes of it; client.c, a program of that time. Until a version is released its
folder follows include/ae.h (`keep`); `freeze` ends that, and writes its files' digests into Tests/abi/frozen.

    Tests/abi/abi.py check [LIBRARY-FOLDER]   every kept version against today's header and library
    Tests/abi/abi.py keep                     renews the folder of the header's version, unless it is frozen
    Tests/abi/abi.py freeze                   freezes it, when its version is released

It needs a C compiler alone, and has abidiff (Debian's abigail-tools) look as well where that is at hand.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADER = ROOT / "include" / "ae.h"
KEPT = ROOT / "Tests" / "abi"
FROZEN = KEPT / "frozen"
CC = os.environ.get("CC", "cc")


# ---- What a header declares ----


def plain(header: str) -> str:
    """The header without comments, preprocessor lines and the braces for C++."""
    text = re.sub(r"/\*.*?\*/", " ", header, flags=re.DOTALL)
    text = re.sub(r"(?m)^#ifdef __cplusplus\n.*?^#endif.*?$", "", text, flags=re.DOTALL)
    return re.sub(r"(?m)^#.*$", "", text)


def structs(header: str) -> dict[str, list[str]]:
    """Every struct with its fields in order."""
    found = {}
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\} \1;", plain(header), re.DOTALL):
        declarators = [part for field in body.split(";") for part in field.split(",") if part.strip()]
        found[name] = [re.sub(r"\[.*", "", part).split()[-1].lstrip("*") for part in declarators]
    return found


def constants(header: str) -> list[str]:
    """Every enumerator, and the macros that programs compare with."""
    bodies = re.findall(r"\benum\s*\{(.*?)\}", plain(header), re.DOTALL)
    names = [part.split("=")[0].strip() for body in bodies for part in body.split(",") if part.strip()]
    return [*names, "AE_ABI_VERSION"]


def functions(header: str) -> list[str]:
    """The declaration of every function, each on a line."""
    text = re.sub(r"typedef struct (\w+) \{.*?\} \1;", "", plain(header), flags=re.DOTALL)
    text = re.sub(r"\benum\s*\{.*?\};", "", text, flags=re.DOTALL)
    lines = [" ".join(statement.split()) for statement in text.split(";")]
    return [f"{line};" for line in lines if "(" in line and not line.startswith("typedef")]


def callbacks(header: str) -> list[str]:
    """The types of pointers to functions, each on a line."""
    lines = [" ".join(statement.split()) for statement in plain(header).split(";")]
    return [f"{line};" for line in lines if re.match(r"typedef [^{]*\(\*", line)]


def run(*command: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        **options,  # type: ignore[call-overload]
    )


def layout(header: str, place: Path) -> list[str]:
    """A line for every struct and field (offset and size in bytes), every constant, every function."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "ae.h").write_text(header)
    lines = []
    for name, fields in structs(header).items():
        lines.append(f'printf("struct {name} %zu\\n", sizeof({name}));')
        for field in fields:
            place_and_size = f"offsetof({name}, {field}), sizeof((({name} *)0)->{field})"
            lines.append(f'printf("field {name}.{field} %zu %zu\\n", {place_and_size});')
    lines += [f'printf("constant {name} %lld\\n", (long long)({name}));' for name in constants(header)]
    source = place / "layout.c"
    source.write_text(
        '#include "ae.h"\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {\n'
        + "\n".join(lines)
        + "\nreturn 0;\n}\n"
    )
    built = run(CC, "-std=c99", source, "-o", place / "layout")
    if built.returncode != 0:
        raise SystemExit(f"abi: the header does not compile:\n{built.stderr}")
    told = run(place / "layout").stdout.splitlines()
    return [
        *told,
        *(f"type {line}" for line in callbacks(header)),
        *(f"function {line}" for line in functions(header)),
    ]


# ---- What may change ----


def breaks(kept: list[str], now: list[str]) -> list[str]:
    """What in `now` a program that was compiled with `kept` would stumble over."""
    problems = []
    sizes = {line.split()[1]: int(line.split()[2]) for line in kept if line.startswith("struct ")}
    sizes_now = {line.split()[1]: int(line.split()[2]) for line in now if line.startswith("struct ")}
    for name, size in sizes.items():
        if sizes_now.get(name, 0) < size:
            problems.append(f"{name} has {sizes_now.get(name, 0)} bytes, it had {size}")
    lines_now = set(now)
    for line in kept:
        if not line.startswith("struct ") and line not in lines_now:
            problems.append(f"is gone or differs: {line}")
    known = {line.split()[1] for line in kept if line.startswith("field ")}
    for line in now:
        if not line.startswith("field "):
            continue
        _, name, offset, _ = line.split()
        size = sizes.get(name.split(".")[0])
        if size is not None and name not in known and int(offset) < size:
            problems.append(
                f"{name} lies at byte {offset}, within the {size} that earlier programs know: it goes behind"
            )
    return problems


def stubs(header: str, place: Path) -> Path:
    """A shared library with every function and type of the header, for abidiff to read."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "ae.h").write_text(header)
    text = ['#include "ae.h"']
    for line in functions(header):
        body = "{ }" if line.startswith("void ") else "{ return 0; }"
        # Parameters have names in the header, so that a declaration is all of a definition but the body.
        text.append(line.rstrip(";") + " " + body)
    (place / "stubs.c").write_text("\n".join(text) + "\n")
    library = place / "libstubs.so"
    built = run(CC, "-std=c99", "-g", "-w", "-shared", "-fPIC", place / "stubs.c", "-o", library)
    if built.returncode != 0:
        raise SystemExit(f"abi: stubs of the header do not compile:\n{built.stderr}")
    return library


# ---- Versions ----


def version(header: str) -> str:
    return ".".join(
        re.search(rf"#define AE_VERSION_{part} (\d+)", header).group(1)
        for part in ("MAJOR", "MINOR", "PATCH")
    )


def frozen() -> dict[str, dict[str, str]]:
    """For every frozen version, the digest of each of its files."""
    found: dict[str, dict[str, str]] = {}
    for line in FROZEN.read_text().splitlines():
        if line and not line.startswith("#"):
            digest, path = line.split()
            folder, name = path.split("/")
            found.setdefault(folder, {})[name] = digest
    return found


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def keep() -> int:
    header = HEADER.read_text()
    folder = KEPT / version(header)
    if folder.name in frozen():
        print(f"abi: {folder.name} is frozen: raise the version in include/ae.h first", file=sys.stderr)
        return 1
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        lines = layout(header, Path(place))
    (folder / "ae.h").write_text(header)
    (folder / "layout.txt").write_text("\n".join(lines) + "\n")
    if not (folder / "client.c").exists():
        print(f"abi: {folder.relative_to(ROOT)}/client.c is still to be written", file=sys.stderr)
    return 0


def freeze() -> int:
    name = version(HEADER.read_text())
    if keep() != 0:
        return 1
    with FROZEN.open("a") as file:
        for path in sorted((KEPT / name).iterdir()):
            file.write(f"{digest(path)} {name}/{path.name}\n")
    return 0


# ---- The check ----


class Report:
    def __init__(self) -> None:
        self.passed = self.failed = self.skipped = 0

    def check(self, problem: str | list[str], text: str) -> None:
        lines = problem.splitlines() if isinstance(problem, str) else problem
        if lines:
            self.failed += 1
            print(f"NOT OK   {text}: {' | '.join(lines[:12])}")
        else:
            self.passed += 1
            print(f"ok       {text}")

    def skip(self, text: str) -> None:
        self.skipped += 1
        print(f"skipped  {text}")


def check_rules(report: Report, place: Path) -> None:
    """The rules themselves: each forbidden change of a header is found, and growth is none."""
    header = HEADER.read_text()
    now = layout(header, place / "rules")
    name = "ae_trainer_callbacks"
    first = re.search(rf"(typedef struct {name} \{{\s*size_t struct_size;)", header).group(1)
    end = f"}} {name};"
    changes = {
        "a field in the middle of a struct": header.replace(first, first + " int64_t inserted;"),
        "a field that is gone": header.replace("ae_poll_callback poll;", ""),
        "a field of another size": header.replace("int32_t quality_count;", "int64_t quality_count;"),
        "an enumerator of another value": header.replace("AE_ERROR_BUFFER = 10", "AE_ERROR_BUFFER = 15"),
        "an enumerator that is gone": header.replace("AE_SCHEDULE_COSINE = 1, ", ""),
        "a function that is gone": header.replace("int32_t ae_threads(void);", ""),
        "a parameter of another type": header.replace(
            "ae_set_threads(int32_t threads);", "ae_set_threads(int64_t threads);"
        ),
        "a callback of another type": header.replace(
            "typedef void (*ae_log_callback)", "typedef int32_t (*ae_log_callback)"
        ),
    }
    for text, changed in changes.items():
        found = changed != header and breaks(now, layout(changed, place / "rules"))
        report.check([] if found else ["it was not"], f"{text} is found")
    # A struct whose last field leaves padding behind it, and one more field that would lie there.
    short = header.replace(end, "int32_t last;\n" + end)
    odd, padded = (
        layout(text, place / "rules") for text in (short, short.replace(end, "int32_t later;\n" + end))
    )
    sizes = {line for line in (*odd, *padded) if line.startswith(f"struct {name} ")}
    report.check(
        [] if len(sizes) == 1 and breaks(odd, padded) else ["it was not"],
        "a field in what was padding is found",
    )
    grown = header.replace(end, "int64_t grown;\n" + end).replace(
        "int32_t ae_threads(void);", "int32_t ae_threads(void);\nint32_t ae_grown(int32_t first);"
    )
    report.check(
        breaks(now, layout(grown, place / "rules")), "a field at the end and a new function are none"
    )
    report.check(
        [struct for struct, fields in structs(header).items() if fields[0] != "struct_size"],
        "every struct begins with its size",
    )


def check_version(report: Report, folder: Path, library: Path, place: Path) -> None:
    name = folder.name
    header, now = (folder / "ae.h").read_text(), HEADER.read_text()
    kept_lines = (folder / "layout.txt").read_text().splitlines()
    now_lines = layout(now, place / "now")
    report.check(
        breaks(layout(header, place / name), kept_lines) or breaks(kept_lines, layout(header, place / name)),
        f"{name}: layout.txt is what its header gives",
    )
    report.check(breaks(kept_lines, now_lines), f"{name}: structs, constants and functions are as they were")
    digests = frozen().get(name)
    if digests is None:
        report.check(
            [] if kept_lines == now_lines else ["it is not: run Tests/abi/abi.py keep"],
            f"{name}: is not released, and its header is today's",
        )
    else:
        wrong = [
            file
            for file, value in digests.items()
            if not (folder / file).exists() or digest(folder / file) != value
        ]
        report.check(wrong, f"{name}: is frozen, and its files are as they were")

    program = (folder / "client.c").read_text()
    names = [*re.findall(r"\b(v?ae_\w+)\(", "\n".join(functions(header))), *structs(header)]
    report.check(
        [word for word in dict.fromkeys(names) if not re.search(rf"\b{word}\b", program)],
        f"{name}: its program has every function and every struct",
    )
    client = place / f"client-{name}"
    command = [
        CC,
        "-std=c99",
        "-g",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-pedantic",
        f"-I{folder}",
        folder / "client.c",
    ]
    built = run(*command, "-o", client, f"-L{library}", "-lae", "-lm")
    report.check(
        built.stderr, f"{name}: its program compiles against its header and links with today's library"
    )
    if built.returncode == 0:
        needed = run("readelf", "-dW", client).stdout
        number = re.search(r"#define AE_ABI_VERSION (\d+)", header).group(1)
        report.check(
            [] if f"[libae.so.{number}]" in needed else [needed], f"{name}: and asks for libae.so.{number}"
        )
        done = run(client, env={**os.environ, "LD_LIBRARY_PATH": str(library)})
        print(done.stdout, end="")
        lost = [line for line in done.stdout.splitlines() if line.startswith("NOT OK")]
        report.check(
            lost or ([] if done.returncode == 0 else [f"status {done.returncode}", done.stderr]),
            f"{name}: and runs",
        )

    if shutil.which("abidiff") is None:
        report.skip(f"{name}: abidiff is not here (Debian's abigail-tools)")
        return
    old, new = stubs(header, place / f"stubs-{name}"), stubs(now, place / "stubs-now")
    done = run("abidiff", "--no-show-locs", old, new)
    # Bit 3 is for what is surely incompatible, bits 0 and 1 for abidiff's own failures.
    report.check(
        [done.stdout or done.stderr] if done.returncode & 0b1011 else [],
        f"{name}: abidiff finds nothing incompatible",
    )
    less = stubs(now.replace("int32_t ae_threads(void);", ""), place / "stubs-less")
    report.check(
        [] if run("abidiff", old, less).returncode & 0b1000 else ["it does not"],
        f"{name}: abidiff finds a function that is gone",
    )


def check(library: Path) -> int:
    report = Report()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        check_rules(report, place)
        folders = sorted(path for path in KEPT.iterdir() if re.fullmatch(r"\d+\.\d+\.\d+", path.name))
        report.check([] if folders else ["there is none"], "there is a kept version")
        for folder in folders:
            check_version(report, folder, library, place)
    print(f"abi: {report.passed} passed, {report.failed} failed, {report.skipped} skipped")
    return 1 if report.failed else 0


def main(arguments: list[str]) -> int:
    if arguments == ["keep"]:
        return keep()
    if arguments == ["freeze"]:
        return freeze()
    if arguments[:1] == ["check"] and len(arguments) <= 2:
        return check(Path(arguments[1] if len(arguments) == 2 else ROOT / ".build" / "lib").resolve())
    print("usage: Tests/abi/abi.py check [LIBRARY-FOLDER] | keep | freeze", file=sys.stderr)
    return 64


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
