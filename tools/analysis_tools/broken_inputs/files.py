"""Faults of a file as a whole, whatever it should hold."""

import gzip
from collections.abc import Callable
from pathlib import Path

from broken_inputs.cases import EITHER, REFUSED
from broken_inputs.mutation import DEPTH

# From the bytes of a good json file to those of a broken one.
JSON_FAULTS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "empty": (REFUSED, lambda good: b""),
    "blank": (REFUSED, lambda good: b" \n\t\n"),
    "text": (REFUSED, lambda good: b"this is no json\n"),
    "cut off in the middle": (REFUSED, lambda good: good[: len(good) // 2]),
    "last byte cut off": (REFUSED, lambda good: good[:-1]),
    "first byte cut off": (REFUSED, lambda good: good[1:]),
    "more after the end": (REFUSED, lambda good: good + b" {}"),
    "twice": (REFUSED, lambda good: good + b"\n" + good),
    "one brace too many": (REFUSED, lambda good: good + b"}"),
    "binary": (REFUSED, lambda good: bytes(range(256)) * 20),
    "zeros": (REFUSED, lambda good: bytes(5000)),
    "gzip": (REFUSED, lambda good: gzip.compress(good)),
    "UTF-16": (EITHER, lambda good: good.decode().encode("utf-16")),
    "UTF-8 with BOM": (EITHER, lambda good: b"\xef\xbb\xbf" + good),
    "Latin-1": (REFUSED, lambda good: good.replace(b'"', b'"\xe9', 1)),
    "lone surrogate": (EITHER, lambda good: good.replace(b'"', b'"\\ud800', 1)),
    "single quotes": (REFUSED, lambda good: good.replace(b'"', b"'")),
    "comma at the end": (REFUSED, lambda good: good[:-1] + b"," + good[-1:]),
    "top level null": (REFUSED, lambda good: b"null"),
    "top level number": (REFUSED, lambda good: b"5"),
    "top level text": (REFUSED, lambda good: b'"text"'),
    "top level NaN": (REFUSED, lambda good: b"NaN"),
    "top level list of numbers": (REFUSED, lambda good: b"[1, 2]"),
    "top level empty object": (REFUSED, lambda good: b"{}"),
    "lists without end": (REFUSED, lambda good: b"[" * DEPTH),
    "lists in lists": (REFUSED, lambda good: b"[" * DEPTH + b"]" * DEPTH),
    "objects in objects": (REFUSED, lambda good: b'{"a":' * DEPTH + b"1" + b"}" * DEPTH),
    "number of 10000 digits": (REFUSED, lambda good: b"9" * 10_000),
}


def no_file(folder: Path) -> Path:
    """Path of nothing."""
    return folder / "nothing.json"


def empty_folder(folder: Path) -> Path:
    """Path of an empty folder."""
    path = folder / "folder.json"
    path.mkdir()
    return path


def below_a_file(folder: Path) -> Path:
    """Path below a file."""
    path = folder / "file"
    path.touch()
    return path / "x.json"


# What stands at a path instead of a file.
PATH_FAULTS: dict[str, Callable[[Path], Path]] = {
    "missing": no_file,
    "folder": empty_folder,
    "below a file": below_a_file,
    "/dev/null": lambda folder: Path("/dev/null"),
    "/proc/self/mem": lambda folder: Path("/proc/self/mem"),
    "name of 300 letters": lambda folder: folder / ("x" * 300),
}
