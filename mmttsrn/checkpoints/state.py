"""The named tensors of a checkpoint, whatever they are wrapped in."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import torch
from mmengine.model import is_model_wrapper
from torch import Tensor, is_tensor, nn

from mmttsrn.errors import UserInputError

T = TypeVar("T")

# What wrappers for distributed training put before every name.
WRAPPER_PREFIX = "module."
# Where training programs keep the weights among optimizer, epoch and options.
WEIGHT_ENTRIES = ("state_dict", "model")
# Batch norms count their batches under this name; nothing reads it unless the momentum is None.
BATCH_COUNTER = "num_batches_tracked"
FLOAT_TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
# A residual or transformer block of a backbone, by our name: layer3.22, blocks.2.17.
BACKBONE_BLOCK = re.compile(r"(?:^|\.)((?:layer\d+|blocks\.\d+)\.\d+)\.")


def named_tensors(content: Any, path: str) -> dict[str, Tensor]:
    """Weights of a checkpoint.

    Args:
        content: What the file holds: named tensors, or a dict with them under ``state_dict`` or
            ``model``.
        path: The file, for the message.

    Returns:
        Tensors by name, without the prefix ``module.`` of distributed training.

    Raises:
        UserInputError: There are no named tensors.
    """
    for entry in WEIGHT_ENTRIES:
        if isinstance(content, Mapping) and isinstance(content.get(entry), Mapping):
            content = content[entry]
    if not isinstance(content, Mapping) or not content:
        raise UserInputError(f"{path}: not a checkpoint: it holds no named tensors")
    for name, value in content.items():
        if not isinstance(value, Tensor):
            raise UserInputError(
                f"{path}: expected named tensors, or a dict with them under "
                f"{' or '.join(WEIGHT_ENTRIES)}; {name!r} is of type {type(value).__name__}"
            )
    _check_tensors(content, path)
    return bare_names(content)


def as_checkpoint(content: Any, source: str) -> dict[str, Any]:
    """Return the content of a file as a checkpoint: a dict with at least ``state_dict``.

    Args:
        content: What was read.
        source: Where it is from, for the message.

    Raises:
        UserInputError: It holds no weights, some that are no numbers, or a ``meta`` that is none.
    """
    if isinstance(content, Mapping) and "state_dict" not in content:
        content = {"state_dict": content}  # bare weights, as third parties publish them
    state = content["state_dict"] if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not state or not all(map(is_tensor, state.values())):
        raise UserInputError(f"{source}: not a checkpoint: it holds no named tensors")
    check_numbers(state, source)
    _check_meta(content.get("meta"), source)
    return dict(content)


def check_numbers(state: Mapping[str, Tensor], source: str) -> None:
    """Refuse tensors that are not dense ones of real, finite numbers."""
    _check_tensors(state, source)
    check_finite(state, source)


def check_finite(state: Mapping[str, Tensor], source: str) -> None:
    """Refuse weights that a training has left when it diverged.

    Args:
        state: Tensors by name.
        source: Where they are from, for the message.

    Raises:
        UserInputError: Some are NaN or infinite.
    """
    broken = [name for name, tensor in state.items() if not _is_finite(tensor)]
    if broken:
        raise UserInputError(
            f"{source}: {len(broken)} of its {len(state)} tensors hold NaN or infinite numbers, "
            f"first {broken[0]}; its training has diverged: take an earlier checkpoint"
        )


def _is_finite(tensor: Tensor) -> bool:
    if tensor.dtype not in FLOAT_TYPES:
        return True
    # The sum, which is fast, is finite unless a number is not, or it is too large.
    return bool(tensor.sum().isfinite()) or bool(tensor.isfinite().all())


def _check_tensors(state: Mapping[str, Tensor], source: str) -> None:
    """Refuse tensors that cannot be copied into weights as they are."""
    for name, tensor in state.items():
        kind = f"of type {tensor.dtype}" if tensor.is_complex() else ""
        kind = kind or (f"of layout {tensor.layout}" if tensor.layout != torch.strided else "")
        kind = "without values" if tensor.is_meta else kind
        if kind:
            raise UserInputError(
                f"{source}: {name} is a tensor {kind}; save dense tensors of real numbers"
            )


def _check_meta(meta: Any, source: str) -> None:
    """Refuse what would be taken for names of classes and is something else."""
    data = meta.get("dataset_meta") if isinstance(meta, Mapping) else None
    for place, value in (("meta", meta), ("meta.dataset_meta", data)):
        if value is not None and not isinstance(value, Mapping):
            raise UserInputError(
                f"{source}: {place}: is a {type(value).__name__}, expected a dict or nothing;"
                " correct or remove it"
            )
    classes = data.get("classes") if isinstance(data, Mapping) else None
    is_list = isinstance(classes, list | tuple) and all(isinstance(x, str) for x in classes)
    if classes is not None and not is_list:
        raise UserInputError(
            f"{source}: meta.dataset_meta.classes: {str(classes)[:40]!r} is no list of names;"
            " correct or remove it"
        )


def bare_names(state: Mapping[str, T]) -> dict[str, T]:
    """Return the weights by the names of the bare model, not of its wrapper for distributed use."""
    return {str(name).removeprefix(WRAPPER_PREFIX): value for name, value in state.items()}


def bare_model(model: nn.Module) -> nn.Module:
    """Return the model itself, wrapped for distributed use or not."""
    return model.get_submodule("module") if is_model_wrapper(model) else model


def check_backbone_depth(given: Iterable[str], own: Iterable[str], path: str) -> None:
    """Refuse the weights of a deeper or shallower backbone, of which the first blocks would fit.

    Args:
        given: Names of the weights, as the model calls them.
        own: Names of the model's weights.
        path: The file, for the message.

    Raises:
        UserInputError: Both have backbone blocks of the same kind, and not the same ones.
    """
    given_blocks, own_blocks = _blocks(given), _blocks(own)
    if given_blocks.isdisjoint(own_blocks) or given_blocks == own_blocks:
        return
    extra, lacking = sorted(given_blocks - own_blocks), sorted(own_blocks - given_blocks)
    example = f"it has a block {extra[-1]}" if extra else f"it has no block {lacking[-1]}"
    raise UserInputError(
        f"{path}: weights of a backbone with {len(given_blocks)} blocks, but the model's has "
        f"{len(own_blocks)} ({example}); take the weights of the same architecture"
    )


def _blocks(names: Iterable[str]) -> set[str]:
    return {match.group(1) for name in names if (match := BACKBONE_BLOCK.search(name))}
