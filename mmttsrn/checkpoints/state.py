"""The named tensors of a checkpoint, whatever they are wrapped in."""

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import torch
from mmengine.model import is_model_wrapper
from torch import Tensor, is_tensor, nn

from mmttsrn.errors import UserInputError, input_errors

T = TypeVar("T")

# What wrappers put before every name: those for distributed training, and a class that holds the
# model, as in Lightning.
OUTER_WRAPPERS = re.compile(r"^(?:(?:module|model)\.)+")
# What torch.compile, FSDP and activation checkpointing put in wherever they wrap a module.
INNER_WRAPPERS = re.compile(r"\b_(?:orig_mod|fsdp_wrapped_module|checkpoint_wrapped_module)\.")
# What MMEngine's average of the weights puts before their names.
AVERAGE = "module."
# Where training programs keep the weights among optimizer, epoch and options.
WEIGHT_ENTRIES = ("state_dict", "model")
# Batch norms count their batches under this name; nothing reads it unless the momentum is None.
BATCH_COUNTER = "num_batches_tracked"
# A residual or transformer block of a backbone, by our name: layer3.22, blocks.2.17, layers.8.
BACKBONE_BLOCK = re.compile(r"(?:^|\.)((?:layer\d+|blocks\.\d+|(?<=backbone\.)layers)\.\d+)\.")


def as_checkpoint(content: Any, source: str) -> dict[str, Any]:
    """Return the content of a file as a checkpoint: a dict with at least ``state_dict``.

    Its weights, those of MMEngine's ``EMAHook`` included, have the names of the bare model.

    Args:
        content: What was read: named tensors, or a dict with them under ``state_dict`` or
            ``model``, or both.
        source: Where it is from, for the message.

    Raises:
        UserInputError: It holds no named tensors, or one that is not made of finite numbers, or its
            ``meta`` is not one.
    """
    content = dict(content) if isinstance(content, Mapping) else {}
    state: Mapping[Any, Any] = content
    for _ in WEIGHT_ENTRIES:  # one may be in the other
        inner = [state[key] for key in WEIGHT_ENTRIES if isinstance(state.get(key), Mapping)]
        state = inner[0] if inner else state
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
    bare = {"state_dict": bare_names(state)}
    if state is content:
        return bare
    with input_errors(f"{source}: ema_state_dict"):
        average = content.get("ema_state_dict")
        if isinstance(average, Mapping):
            bare["ema_state_dict"] = _bare_average(average)
    return content | bare


def named_tensors(content: Any, source: str) -> dict[str, Tensor]:
    """Return the weights that :func:`as_checkpoint` finds by the names of the bare model."""
    return as_checkpoint(content, source)["state_dict"]


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


def bare_name(name: str) -> str:
    """Return the name that the bare model has for a weight, without those of wrappers around it."""
    return OUTER_WRAPPERS.sub("", INNER_WRAPPERS.sub("", name))


def bare_names(state: Mapping[str, T]) -> dict[str, T]:
    """Return weights by :func:`bare_name`; where two would have the same, all stay as they are."""
    names = [bare_name(str(name)) for name in state]
    if len(set(names)) < len(names):
        names = list(state)
    bare = OrderedDict(zip(names, state.values(), strict=True))
    bare.__dict__.update(getattr(state, "__dict__", {}))  # versions of modules, by PyTorch
    return bare


def _bare_average(state: Mapping[str, T]) -> dict[str, T]:
    """Return weights of MMEngine's ``EMAHook``, whose wrapper stays, with a counter beside it."""
    averaged = {name: value for name, value in state.items() if name.startswith(AVERAGE)}
    renamed = {AVERAGE + name: value for name, value in bare_names(averaged).items()}
    return {name: value for name, value in state.items() if name not in averaged} | renamed


def take_bare_names(module: nn.Module, state: dict[str, Any], prefix: str = "", *_: Any) -> None:
    """Rename weights, in place, to what a module calls them that has wrappers inside.

    For ``register_load_state_dict_pre_hook``: a module that is compiled in part then takes the
    weights of one that is not, and the other way round.

    Args:
        module: The module that gets them.
        state: The weights by name.
        prefix: What stands before the names of this module.
    """
    own = bare_names({name: name for name in module.state_dict()})
    given = {name.removeprefix(prefix): name for name in state if name.startswith(prefix)}
    for bare, name in bare_names(given).items():
        if bare in own:
            state[prefix + own[bare]] = state.pop(name)


def part_of(name: str) -> str:
    """Return the part of the model that a parameter belongs to: the first word of its name."""
    return name.partition(".")[0]


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
