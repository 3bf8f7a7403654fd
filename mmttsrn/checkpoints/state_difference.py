"""Check that a checkpoint belongs to a model before anything is done with it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.logging import print_log
from torch import Tensor, nn

from mmttsrn.checkpoints.state import bare_model, bare_names, part_of
from mmttsrn.errors import UserInputError


@dataclass(frozen=True)
class StateDifference:
    """How the state of a checkpoint differs from that of a model; true if it does not fit.

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
            f"{len(names)} {kind} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
            for kind, names in kinds.items()
            if names
        )


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
    """Compare a checkpoint's state with that of a model, each wrapped in whatever it may be."""
    own, given = bare_names(bare_model(model).state_dict()), bare_names(state)
    own_parts = {part_of(name) for name in own}
    extra = [name for name in given if name not in own]
    return StateDifference(
        missing=[name for name in own if name not in given],
        unexpected=[name for name in extra if part_of(name) in own_parts],
        misshapen=[
            f"{name} is {tuple(given[name].shape)} instead of {tuple(tensor.shape)}"
            for name, tensor in own.items()
            if name in given and given[name].shape != tensor.shape
        ],
        unused_parts=sorted({part_of(name) for name in extra} - own_parts),
    )


def trained_with(checkpoint: Mapping[str, Any]) -> str | None:
    """Return the name of the config that a checkpoint was trained with, if it says so."""
    name = (checkpoint.get("meta") or {}).get("experiment_name")
    return re.sub(r"_\d{8}_\d{6}$", "", name) if isinstance(name, str) else None
