"""The named tensors of a checkpoint, whatever they are wrapped in."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import torch
from mmengine.model import is_model_wrapper
from torch import Tensor, is_tensor, nn

from mmttsrn.errors import UserInputError, input_errors

T = TypeVar("T")

# What wrappers for distributed training put before every name.
WRAPPER_PREFIX = "module."
# Where training programs keep the weights among optimizer, epoch and options.
WEIGHT_ENTRIES = ("state_dict", "model")
# Batch norms count their batches under this name; nothing reads it unless the momentum is None.
BATCH_COUNTER = "num_batches_tracked"
# A residual or transformer block of a backbone, by our name: layer3.22, blocks.2.17.
BACKBONE_BLOCK = re.compile(r"(?:^|\.)((?:layer\d+|blocks\.\d+)\.\d+)\.")


def as_checkpoint(content: Any, source: str) -> dict[str, Any]:
    """Return the content of a file as a checkpoint: a dict with at least ``state_dict``.

    Args:
        content: What was read: named tensors, or a dict with them under ``state_dict`` or
            ``model``.
        source: Where it is from, for the message.

    Raises:
        UserInputError: It holds no named tensors, or one that is not made of finite numbers, or its
            ``meta`` is not one.
    """
    content = dict(content) if isinstance(content, Mapping) else {}
    entry = next((key for key in WEIGHT_ENTRIES if isinstance(content.get(key), Mapping)), None)
    state = content[entry] if entry else content
    others = [name for name, value in state.items() if not is_tensor(value)]
    if others or not state:
        raise UserInputError(
            f"{source}: not a checkpoint: it holds no named tensors, neither bare nor under "
            f"{' or '.join(WEIGHT_ENTRIES)}, but {', '.join(map(repr, others[:1])) or 'nothing'}"
        )
    with input_errors(source):
        check_numbers(state, source)
    with input_errors(f"{source}: meta.dataset_meta.classes"):  # fails here, not where it is used
        list(((content.get("meta") or {}).get("dataset_meta") or {}).get("classes") or ())
    return {**content, "state_dict": state} if entry else {"state_dict": state}


def named_tensors(content: Any, source: str) -> dict[str, Tensor]:
    """Return the weights that :func:`as_checkpoint` finds by the names of the bare model."""
    return bare_names(as_checkpoint(content, source)["state_dict"])


def check_numbers(state: Mapping[str, Tensor], source: str) -> None:
    """Refuse tensors that are not dense ones of real, finite numbers.

    PyTorch and MMEngine copy the others silently or leave them out.

    Args:
        state: Tensors by name.
        source: Where they are from, for the message.

    Raises:
        UserInputError: There are some, as a training leaves them when it diverges.
    """
    broken = [name for name, tensor in state.items() if not _is_finite(tensor)]
    if broken:
        raise UserInputError(
            f"{source}: {len(broken)} of its {len(state)} tensors hold NaN or infinite numbers or "
            f"are not dense and real, first {broken[0]}; its training has diverged: take an "
            "earlier checkpoint"
        )


def _is_finite(tensor: Tensor) -> bool:
    if tensor.is_meta or tensor.is_complex() or tensor.layout != torch.strided:
        return False
    if not tensor.is_floating_point():
        return True
    # The sum, which is fast, is finite unless a number is not, or it is too large.
    return bool(tensor.sum().isfinite()) or bool(tensor.isfinite().all())


def bare_names(state: Mapping[str, T]) -> dict[str, T]:
    """Return the weights by the names of the bare model, not of its wrapper for distributed use."""
    return {str(name).removeprefix(WRAPPER_PREFIX): value for name, value in state.items()}


def bare_model(model: nn.Module) -> nn.Module:
    """Return the model itself, wrapped for distributed use or not."""
    return model.get_submodule("module") if is_model_wrapper(model) else model


def check_backbone_depth(given: Iterable[str], own: Iterable[str], source: str) -> None:
    """Refuse the weights of a deeper or shallower backbone, whose first blocks would fit.

    Args:
        given: Names of the weights, as the model calls them.
        own: Names of the model's weights.
        source: Where the weights are from, for the message.

    Raises:
        UserInputError: Both have backbone blocks of the same kind, and not the same ones.
    """
    theirs, ours = (
        {match.group(1) for name in names if (match := BACKBONE_BLOCK.search(name))}
        for names in (given, own)
    )
    if theirs & ours and theirs != ours:
        raise UserInputError(
            f"{source}: weights of a backbone with {len(theirs)} blocks, but the model's has "
            f"{len(ours)}; take the weights of the same architecture"
        )
