"""Reading checkpoint files without running code from them."""

import json
import re
import warnings
import zipfile
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from mmttsrn.checkpoints import portable_pickle
from mmttsrn.checkpoints.array_pickle import load_array_pickle
from mmttsrn.checkpoints.safe_types import training_types_allowed
from mmttsrn.errors import UserInputError

OVERRIDE_FLAG = "--allow-unsafe-checkpoint"
SAFETENSORS_SUFFIX = ".safetensors"
# A plain pickle of NumPy arrays, unless it is a file of ``torch.save`` after all.
PICKLE_SUFFIX = ".pkl"
# Entry of a safetensors file's metadata that holds the checkpoint's ``meta`` as json.
META_ENTRY = "meta"
# How PyTorch's restricted unpickler says what a file asked for and does not get.
REFUSED = re.compile(
    r"(?:GLOBAL|unrecognized function|allowlisted via .+ but got) "
    r"(.+?)(?: was not an| whose module| which belongs|\n|$)"
)


def load_checkpoint_file(path: str | PathLike[str], *, allow_unsafe: bool = False) -> Any:
    """Read a checkpoint to the CPU.

    A file of ``torch.save`` is a pickle, which can call any function while it is read. It is read
    by PyTorch's restricted unpickler, which knows tensors, plain data and the few types of
    :mod:`mmttsrn.checkpoints.safe_types`. Safetensors files hold tensors only. Of a plain pickle,
    as Detectron2 publishes them, arrays of numbers and plain data are read.

    Args:
        path: ``.pth``, ``.pt``, ... as ``torch.save`` writes them, ``.safetensors``, or ``.pkl``.
        allow_unsafe: Read it by the unrestricted unpickler, which runs whatever code is in it.

    Returns:
        What was saved. A safetensors file gives a dict of tensors by name, or, if it has the
        ``meta`` of a published checkpoint, ``dict(meta=..., state_dict=...)``.

    Raises:
        UserInputError: There is no such file, it is damaged, or reading it could run code.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise UserInputError(f"{path}: there is no such checkpoint file")
    try:
        if file.suffix == SAFETENSORS_SUFFIX:
            return _load_safetensors(file)
        if file.suffix == PICKLE_SUFFIX and not zipfile.is_zipfile(file):
            return load_array_pickle(file, allow_unsafe)
        with warnings.catch_warnings(), training_types_allowed():
            # About pickle protocols other than 2, which are read or refused like any other.
            warnings.filterwarnings("ignore", "Detected pickle protocol")
            pickle_module = portable_pickle if allow_unsafe else None
            return torch.load(file, "cpu", pickle_module, weights_only=not allow_unsafe)
    # A damaged or hostile file may make an unpickler raise anything.
    except Exception as error:
        raise UserInputError(f"{path}: {_reason(error, allow_unsafe)}") from error


def _load_safetensors(file: Path) -> dict[str, Any]:
    with safe_open(file, framework="pt", device="cpu") as content:
        # Not a dict: it has no iterator of its own.
        state = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
        meta = (content.metadata() or {}).get(META_ENTRY)
    return state if meta is None else {"meta": json.loads(meta), "state_dict": state}


def _reason(error: Exception, allow_unsafe: bool) -> str:
    wanted = REFUSED.search(str(error))
    if wanted is not None:
        return (
            f"refused: it asks for {wanted.group(1)} while it is read, which could run code from "
            "the file; get the weights as .safetensors or as a plain state dict, or, only if you "
            f"trust its author, pass {OVERRIDE_FLAG}"
        )
    if allow_unsafe and isinstance(error, ImportError | AttributeError):
        return (
            f"it holds objects of a class that is not here ({error}); install what it comes from, "
            "or get the weights as .safetensors or as a plain state dict"
        )
    detail = str(error).partition("WeightsUnpickler error: ")[2] or str(error)
    return (
        "not a checkpoint that can be read, or damaged or incomplete "
        f"({type(error).__name__}: {detail.strip().partition(chr(10))[0]}); get it again"
    )
