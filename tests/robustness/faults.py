"""Faults of inputs, and what a refusal has to look like."""

import copy
import gzip
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mmttsrn.errors import UserInputError

NAN, INFINITE, HUGE = float("nan"), float("inf"), 10**12
MISSING = object()
DEPTH = 100_000

Place = tuple[str | int, ...]


def place_of(text: str) -> Place:
    """Keys and indices of a dotted path, such as ``videos.1.width``."""
    return tuple(int(key) if key.isdecimal() else key for key in text.split(".") if key)


def put(content: Any, place: str | Place, value: Any) -> Any:
    """A copy of content with another value at a place, or without one (``MISSING``)."""
    keys = place_of(place) if isinstance(place, str) else place
    if not keys:
        return value
    node = content = copy.deepcopy(content)
    for key in keys[:-1]:
        node = node[key]
    if value is MISSING:
        del node[keys[-1]]
    else:
        node[keys[-1]] = copy.deepcopy(value)
    return content


def rows(*table: tuple) -> list:
    """Cases of pytest, one for each value of ``(place, values, what the message names)``."""
    cases = []
    for place, values, *says in table:
        for value in values:
            text = "missing" if value is MISSING else repr(value)[:30]
            cases.append(pytest.param(place, value, *says, id=f"{place or 'top level'}={text}"))
    return cases


def check_line(line: str, says: Iterable[str | int]) -> None:
    """Check that a refusal is one line that a terminal can show and names what is wrong.

    Args:
        line: The message.
        says: Names of files, options and fields, and indices, each of which is in it as a word;
            ``a|b`` stands for either.
    """
    says = [str(word) for word in says]
    assert says, "a case has to say what the message names"
    assert line.isprintable()
    assert len(line) < 1000
    patterns = {word: "|".join(map(re.escape, word.split("|"))) for word in says}
    lacking = [
        w for w, pattern in patterns.items() if not re.search(rf"(?<!\w)({pattern})(?!\w)", line)
    ]
    assert not lacking, f"{line!r} does not name {lacking}"


@contextmanager
def refused(*says: str | int) -> Iterator[None]:
    """Expect that what the block reads is refused with a line that names these; see above."""
    with pytest.raises((UserInputError, OSError)) as caught:
        yield
    error = caught.value
    if isinstance(error, OSError):  # commands print it as a line
        assert error.filename, error
        check_line(f"{error.filename}: {error.strerror}", says)
    else:
        check_line(str(error), says)


# From the bytes of a good json file to those of one that is none.
BROKEN_JSON: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda good: b"",
    "blank": lambda good: b" \n\t\n",
    "text": lambda good: b"this is no json\n",
    "cut off in the middle": lambda good: good[: len(good) // 2],
    "last byte cut off": lambda good: good[:-1],
    "first byte cut off": lambda good: good[1:],
    "more after the end": lambda good: good + b" {}",
    "twice": lambda good: good + b"\n" + good,
    "one brace too many": lambda good: good + b"}",
    "binary": lambda good: bytes(range(256)) * 20,
    "zeros": lambda good: bytes(5000),
    "gzip": gzip.compress,
    "Latin-1": lambda good: good.replace(b'"', b'"\xe9', 1),
    "single quotes": lambda good: good.replace(b'"', b"'"),
    "comma at the end": lambda good: good[:-1] + b"," + good[-1:],
    "null": lambda good: b"null",
    "a number": lambda good: b"5",
    "NaN": lambda good: b"NaN",
    "a list of numbers": lambda good: b"[1, 2]",
    "an empty object": lambda good: b"{}",
    "a number of 10000 digits": lambda good: b"9" * 10_000,
}
# The same, for a process of its own: parsers have come to the end of the stack here.
DEEP_JSON: dict[str, Callable[[bytes], bytes]] = {
    "lists without end": lambda good: b"[" * DEPTH,
    "lists in lists": lambda good: b"[" * DEPTH + b"]" * DEPTH,
    "objects in objects": lambda good: b'{"a":' * DEPTH + b"1" + b"}" * DEPTH,
}


def _folder(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


def _below_a_file(folder: Path, name: str) -> Path:
    (folder / "file").touch()
    return folder / "file" / name


# What stands at the path of an input instead of a file, by the name that the file should have.
PATHS: dict[str, Callable[[Path, str], Path]] = {
    "missing": lambda folder, name: folder / name,
    "folder": _folder,
    "below a file": _below_a_file,
    "/dev/null": lambda folder, name: Path("/dev/null"),
    "/proc/self/mem": lambda folder, name: Path("/proc/self/mem"),
    "long name": lambda folder, name: folder / ("x" * 300),
}
