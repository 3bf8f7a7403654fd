"""Checkpoints that would run code: each leaves a marker file if it gets its way."""

import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


class _Call:
    """Unpickled as the result of a call."""

    def __init__(self, function: Callable, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def plant_call(path: Path, marker: Path, **content: Any) -> Path:
    """A checkpoint among whose content is a call that writes the marker."""
    torch.save({"state_dict": {}, **content, "extra": _Call(Path.touch, marker)}, path)
    return path


def plant_plain_pickle(path: Path, marker: Path) -> Path:
    """The same as a pickle that PyTorch has not written."""
    path.write_bytes(pickle.dumps({"state_dict": _Call(Path.touch, marker)}, protocol=2))
    return path


def plant_getattr(path: Path, marker: Path) -> Path:
    """A checkpoint that reaches ``exec`` by ``getattr`` and has it called as ``__setstate__``.

    With ``getattr`` and any class among the safe globals, the restricted unpickler runs it.
    """
    get = b"c__builtin__\ngetattr\n"
    builtins = get + get + _text("__self__") + b"\x86R"
    steps = [
        b"\x80\x02cmmengine.logging.history_buffer\nHistoryBuffer\n)\x81",
        b"}" + _text("__setstate__") + get + builtins + _text("exec") + b"\x86Rsb",
        _text(f"open({str(marker)!r}, 'w').close()") + b"b.",
    ]
    return replace_pickle(path, b"".join(steps))


def replace_pickle(path: Path, pickled: bytes) -> Path:
    """Write a file as ``torch.save`` does, with another pickle in it."""
    torch.save({}, path)
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, record in records.items():
            archive.writestr(name, pickled if name.endswith("data.pkl") else record)
    return path


def program(marker: Path) -> str:
    """A config that is a program: it writes the marker."""
    return f"open({str(marker)!r}, 'w').close()\nmodel = dict(type='x')\n"


def _text(text: str) -> bytes:
    encoded = text.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded
