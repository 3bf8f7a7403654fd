"""Turning the weights of a foreign checkpoint into those of a model."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mmttsrn.checkpoints.converters import SOURCE_FORMATS, Rule, SourceFormat, find_rule
from mmttsrn.checkpoints.state import BATCH_COUNTER, check_backbone_depth
from mmttsrn.errors import UserInputError

# The parts of the class branch that have one row for each class.
CLASS_BRANCH = "head.cls_branch."


@dataclass(frozen=True)
class LeftOut:
    """A parameter of the checkpoint that the model does not get.

    Args:
        part: The part of our model that it would belong to; empty if we have none.
        reason: Why it is left out.
    """

    part: str
    reason: str


@dataclass(frozen=True)
class Conversion:
    """What became of a foreign checkpoint. Every name of it is in ``loaded`` or in ``left_out``.

    Args:
        state: The converted weights by our names, as many as were found.
        loaded: Our name by foreign name.
        left_out: What was left out, by foreign name.
        initialised: Our names that the checkpoint has nothing for.
        class_change: How the classes of the checkpoint differ from the model's, in words; empty if
            the class layer was taken or the checkpoint has none.
    """

    state: dict[str, Tensor]
    loaded: dict[str, str]
    left_out: dict[str, LeftOut]
    initialised: list[str]
    class_change: str = ""


def convert(
    source: Mapping[str, Tensor], kind: str, model: Mapping[str, Tensor], path: str
) -> Conversion:
    """Convert the weights of a checkpoint.

    Args:
        source: Weights by foreign name.
        kind: Key of ``SOURCE_FORMATS``.
        model: State of the model that gets them; names, shapes and types are looked at.
        path: The file of the checkpoint, for messages.

    Returns:
        The weights that fit, and an account of all names.

    Raises:
        UserInputError: The checkpoint is of another kind, its backbone is deeper or shallower than
            the model's, or nothing fits.
    """
    _check_kind(source, kind, path)
    rules = SOURCE_FORMATS[kind].rules(source)
    found = {name: find_rule(name, rules) for name in source}
    targets = [rule.target for rule in found.values() if not rule.leave_out]
    check_backbone_depth(targets, model, path)
    tensors = {name: _selected(source[name], rule) for name, rule in found.items()}
    left_out = _left_out(found, tensors, model)
    loaded = {name: rule.target for name, rule in found.items() if name not in left_out}
    if not loaded:
        counts = Counter(entry.reason.partition(":")[0] for entry in left_out.values())
        raise UserInputError(
            f"{path}: nothing of this checkpoint fits the model; of its {len(source)} tensors "
            + ", ".join(f"{count} are left out ({why})" for why, count in counts.most_common(3))
        )
    state = {
        target: tensors[name].to(model[target].dtype).clone() for name, target in loaded.items()
    }
    initialised = [name for name in model if name not in state and not _is_counter(name)]
    state.update(_batch_counters(state, model))
    changes = (_class_change(rule, tensors[name], model) for name, rule in found.items())
    class_change = next(filter(None, changes), "")
    return Conversion(state, loaded, left_out, initialised, class_change)


def _check_kind(source: Mapping[str, Tensor], kind: str, path: str) -> None:
    form: SourceFormat = SOURCE_FORMATS[kind]
    if form.recognises(source):
        return
    others = [name for name, other in SOURCE_FORMATS.items() if other.recognises(source)]
    hint = f"its names are those of --from {' or '.join(others)}" if others else ""
    examples = ", ".join(list(source)[:3])
    raise UserInputError(
        f"{path}: not {form.title}, as --from {kind} expects; "
        f"{hint or f'its names are of no known kind ({examples}, ...)'}"
    )


def _left_out(
    found: Mapping[str, Rule], tensors: Mapping[str, Tensor], model: Mapping[str, Tensor]
) -> dict[str, LeftOut]:
    reasons = {name: _misfit(rule, tensors[name], model) for name, rule in found.items()}
    misfits = {_layer(found[name].target) for name, reason in reasons.items() if reason}
    left_out = {}
    for name, rule in found.items():
        reason = reasons[name]
        if not reason and _layer(rule.target) in misfits:
            reason = "the rest of its layer does not fit"
        if reason:
            left_out[name] = LeftOut(rule.target.partition(".")[0], reason)
    return left_out


def _selected(tensor: Tensor, rule: Rule) -> Tensor:
    return tensor if rule.select is None else rule.select(tensor)


def _layer(name: str) -> str:
    """Return the layer of a parameter: a bias is nothing without its weight."""
    return name.rpartition(".")[0]


def _misfit(rule: Rule, tensor: Tensor, model: Mapping[str, Tensor]) -> str:
    """Why a tensor is not taken; empty if it is."""
    if rule.leave_out:
        return rule.leave_out
    own = model.get(rule.target)
    if own is None:
        return "the model has no such parameter"
    if own.shape == tensor.shape:
        return ""
    if _class_change(rule, tensor, model):
        return "another number of classes"
    return f"of another shape: {_size(tensor)} instead of {_size(own)}"


def _class_change(rule: Rule, tensor: Tensor, model: Mapping[str, Tensor]) -> str:
    own = model.get(rule.target)
    if (
        own is None
        or rule.leave_out
        or not rule.target.startswith(CLASS_BRANCH)
        or own.shape[0] == tensor.shape[0]
        or own.shape[1:] != tensor.shape[1:]
    ):
        return ""
    return f"{tensor.shape[0] - 1} in the checkpoint, {own.shape[0] - 1} in the model"


def _batch_counters(state: Mapping[str, Tensor], model: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Counters, at zero, of the batch norms whose statistics were found.

    Frozen batch norms of other programs have none, and a checkpoint without them would count as
    incomplete.
    """
    return {
        name: torch.zeros((), dtype=torch.long)
        for name in model
        if _is_counter(name) and name.replace(BATCH_COUNTER, "running_mean") in state
    }


def _is_counter(name: str) -> bool:
    return name.endswith(f".{BATCH_COUNTER}")


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
