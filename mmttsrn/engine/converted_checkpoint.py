"""From the config of a model to the file with its converted weights."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor

from mmttsrn.checkpoints.conversion import Conversion
from mmttsrn.errors import UserInputError
from mmttsrn.version import __version__

SUFFIX = ".pth"


def check_out_file(out: str, source: str) -> None:
    """Refuse an output name before any work is done.

    Args:
        out: File to write.
        source: File that is read.

    Raises:
        UserInputError: The name does not end with ``.pth``, or names the source or a folder.
    """
    path = Path(out)
    if path.suffix != SUFFIX or path.is_dir():
        raise UserInputError(f"--out {out}: expected the name of a file that ends with {SUFFIX}")
    if path.resolve() == Path(source).resolve():
        raise UserInputError(f"--out {out}: this is the checkpoint to convert; name another file")


def model_state(cfg: Config) -> dict[str, Tensor]:
    """Names, shapes and types of the weights of a config's model, without their values.

    Args:
        cfg: The config.

    Returns:
        Tensors without storage by name.
    """
    init_default_scope(cfg.get("default_scope", "mmengine"))
    state = MODELS.build(cfg.model).state_dict()
    return {name: tensor.to("meta") for name, tensor in state.items()}


def save_converted(conversion: Conversion, out: str, kind: str, source: str, config: str) -> None:
    """Write converted weights as a checkpoint of MMEngine, whole or not at all.

    Args:
        conversion: The conversion.
        out: File to write; its folder is made.
        kind: Kind of the source.
        source: File that was read.
        config: Path or name of the model's config.
    """
    meta = {
        "converted_from": kind,
        "source": Path(source).name,
        "config": Path(config).stem,
        "mmttsrn_version": __version__,
    }
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        torch.save({"meta": meta, "state_dict": conversion.state}, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
