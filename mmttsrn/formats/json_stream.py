"""Reading of large json files without holding text and objects at the same time."""

import json
import os
import re
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, BinaryIO

import msgspec
import numpy as np
from mmengine import fileio

from mmttsrn.errors import input_errors

BLOCK_BYTES = 3 * 2**20
_OPEN, _CLOSE = b"{}"
# Stands for an entry. The line breaks make it invalid inside of a string, where it would be lost.
_PLACEHOLDER = b'\n{"$":%d}\n'

Transform = Callable[[Any], Any]


class _NotSplittable(Exception):
    """The file is not strict json, or has braces in strings that look like structure."""


def read_json(
    path: str | os.PathLike, transform: Transform, backend_args: dict | None = None
) -> Any:
    """Read a json file entry by entry.

    An entry is an object in the lists of the top level: of a list, each of its objects; of an
    object, each object in its values.

    Args:
        path: The file, or a URL. What is not local is fetched at once, then read in the same way.
        transform: Called with each entry as soon as it is read; what it returns takes its place,
            e.g. a smaller form of it. Called twice for some entries of unusual files.
        backend_args: Arguments of the mmengine file backend.

    Raises:
        UserInputError: The file cannot be read or is not valid json.
    """
    with input_errors(os.fspath(path)), _open(path, backend_args) as file:
        try:
            return _read_entries(file, transform)
        except _NotSplittable:
            file.seek(0)
            return _change_entries(json.load(file), transform)


def _open(path: str | os.PathLike, backend_args: dict | None) -> BinaryIO:
    is_local = (backend_args or {}).get("backend", "local") == "local"
    if is_local and "://" not in os.fspath(path):
        return open(path, "rb")
    return BytesIO(fileio.get(os.fspath(path), backend_args=backend_args))


def _read_entries(file: BinaryIO, transform: Transform) -> Any:
    entries: list[Any] = []
    skeleton: list[bytes] = []

    def entry_of(placeholder: dict[str, Any]) -> Any:
        index = placeholder.get("$")
        if len(placeholder) != 1 or type(index) is not int or not 0 <= index < len(entries):
            raise _NotSplittable  # all other objects should have been cut out
        return entries[index]

    try:
        for text, is_entry in _split(file):
            if is_entry:
                skeleton.append(_PLACEHOLDER % len(entries))
                entries.append(transform(msgspec.json.decode(text)))
            else:
                skeleton.append(text)
        return _change_entries(msgspec.json.decode(b"".join(skeleton)), entry_of)
    except msgspec.DecodeError:
        raise _NotSplittable from None


def _split(file: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """Cut a file by the depth of its braces; yield each piece and whether it is an entry."""
    rest = file.read(BLOCK_BYTES)
    # In a list, entries are the outermost objects; in an object, those one level below.
    level = 1 if re.match(rb"\s*\[", rest) else 2
    depth = last_depth = 0  # at the start and at the end of ``rest``
    block = rest
    while block:
        codes = np.frombuffer(rest, np.uint8)
        positions = np.flatnonzero((codes == _OPEN) | (codes == _CLOSE))
        steps = np.where(codes[positions] == _OPEN, 1, -1)
        depths = depth + np.cumsum(steps)
        if len(depths) and depths.min() < 0:
            raise _NotSplittable
        last_depth = int(depths[-1]) if len(depths) else depth
        starts = positions[(steps == 1) & (depths == level)].tolist()
        ends = positions[(steps == -1) & (depths == level - 1)].tolist()
        used = 0
        for start, end in zip(starts, ends, strict=False):
            yield rest[used:start], False
            yield rest[start : end + 1], True
            used = end + 1
        if len(starts) > len(ends):  # the last entry goes on in the next block
            yield rest[used : starts[-1]], False
            used, depth = starts[-1], level - 1
        elif len(depths):
            outside = positions >= used
            depth = int(depths[-1] - steps[outside].sum())
        block = file.read(BLOCK_BYTES)
        rest = rest[used:] + block
    if last_depth != 0:
        raise _NotSplittable
    yield rest, False


def _change_entries(content: Any, change: Transform) -> Any:
    """Replace the entries of parsed json by what a function makes of them."""
    if isinstance(content, dict):
        return {key: _change_listed(value, change) for key, value in content.items()}
    return _change_listed(content, change)


def _change_listed(value: Any, change: Transform) -> Any:
    if isinstance(value, list):
        return [_change_listed(item, change) for item in value]
    return change(value) if isinstance(value, dict) else value
