"""Check that a checkpoint belongs to a model before anything is done with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from mmttsrn.checkpoints.host_loading import load_for_host
from mmttsrn.errors import UserInputError

EXAMPLES_SHOWN = 3


@dataclass(frozen=True)
class StateDifference:
    """How the state of a checkpoint differs from that of a model.

    Args:
        missing: Names that the model has and the checkpoint has not.
        unexpected: Names that the checkpoint has and the model has not, in a part that both have.
        misshapen: Names whose tensors differ in shape, with both shapes.
        unused_parts: Parts of the checkpoint's model that this one lacks as a whole, such as a
            mask head that a box-only model leaves out.
    """

    missing: list[str]
    unexpected: list[str]
    misshapen: list[str]
    unused_parts: list[str]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.misshapen)

    def __str__(self) -> str:
        kinds = {
            "missing in it": self.missing,
            "unexpected": self.unexpected,
            "of another shape": self.misshapen,
        }
        return "; ".join(
            f"{len(names)} {kind} ({_examples(names)})" for kind, names in kinds.items() if names
        )


def read_checkpoint(source: str, *, allow_unsafe: bool = False) -> dict[str, Any]:
    """Read a checkpoint to the CPU without running code from it.

    Args:
        source: Path, URL or hub id.
        allow_unsafe: Read it even if that can run code from the file.

    Returns:
        The content, with at least ``state_dict``.

    Raises:
        UserInputError: There is no such file, it cannot be read safely, or it holds no weights.
    """
    return as_checkpoint(load_for_host(source, allow_unsafe=allow_unsafe), source)


def as_checkpoint(content: Any, source: str) -> dict[str, Any]:
    """Content of a file as a checkpoint: a dict with at least ``state_dict``.

    Args:
        content: What was read.
        source: Where it is from, for the message.

    Raises:
        UserInputError: It holds no weights.
    """
    if isinstance(content, Mapping) and "state_dict" not in content:
        content = {"state_dict": content}  # bare weights, as third parties publish them
    if not isinstance(content, Mapping) or not _is_state(content["state_dict"]):
        raise UserInputError(f"{source}: not a checkpoint: it holds no named tensors")
    return dict(content)


def check_checkpoint(model: nn.Module, checkpoint: Mapping[str, Any], path: str) -> None:
    """Refuse a checkpoint whose weights do not fit the model.

    MMEngine would load what fits, leave the rest at its random initialisation and say so in the
    log only.

    Args:
        model: The built model, wrapped for distributed use or not.
        checkpoint: What :func:`read_checkpoint` returned.
        path: Its path, for the message.

    Raises:
        UserInputError: The weights do not fit; the message counts the differences, with examples,
            and names the config that the checkpoint was trained with where it says so.
    """
    difference = compare_state(model, checkpoint["state_dict"])
    if difference:
        origin = trained_with(checkpoint)
        trained = f"; it was trained with the config {origin}" if origin else ""
        raise UserInputError(f"{path}: a checkpoint of another model: {difference}{trained}")
    if difference.unused_parts:
        parts = ", ".join(difference.unused_parts)
        print_log(f"{path}: this model does not use its {parts}", logger="current")


def compare_state(model: nn.Module, state: Mapping[str, Tensor]) -> StateDifference:
    """Compare a checkpoint's state with that of a model.

    Args:
        model: The model, wrapped for distributed use or not.
        state: Tensors by name; a prefix ``module.`` is left out.
    """
    inner = model.get_submodule("module") if is_model_wrapper(model) else model
    own = inner.state_dict()
    given = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    own_parts = {_part(name) for name in own}
    extra = [name for name in given if name not in own]
    return StateDifference(
        missing=[name for name in own if name not in given],
        unexpected=[name for name in extra if _part(name) in own_parts],
        misshapen=[
            f"{name} is {tuple(given[name].shape)} instead of {tuple(tensor.shape)}"
            for name, tensor in own.items()
            if name in given and given[name].shape != tensor.shape
        ],
        unused_parts=sorted({_part(name) for name in extra} - own_parts),
    )


def trained_with(checkpoint: Mapping[str, Any]) -> str | None:
    """Name of the config that a checkpoint of MMEngine was trained with, if it says so."""
    name = (checkpoint.get("meta") or {}).get("experiment_name")
    return re.sub(r"_\d{8}_\d{6}$", "", name) if isinstance(name, str) else None


def _part(name: str) -> str:
    return name.partition(".")[0]


def _is_state(state: Any) -> bool:
    return (
        isinstance(state, Mapping)
        and bool(state)
        and all(isinstance(tensor, Tensor) for tensor in state.values())
    )


def _examples(names: Sequence[str]) -> str:
    shown = ", ".join(names[:EXAMPLES_SHOWN])
    return f"{shown}, ..." if len(names) > EXAMPLES_SHOWN else shown
