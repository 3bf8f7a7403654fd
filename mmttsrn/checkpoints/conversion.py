"""Turning the weights of a foreign checkpoint into those of a model."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mmttsrn.checkpoints.converters import SOURCE_FORMATS, UNKNOWN, Rule, find_rule
from mmttsrn.checkpoints.state import BATCH_COUNTER, check_backbone_depth, part_of
from mmttsrn.errors import UserInputError
from mmttsrn.formats.output_files import partial_file
from mmttsrn.version import __version__

# The parts of the class branch that have one row for each class.
CLASS_BRANCH = "head.cls_branch."
NO_PARAMETER = "the model has no such parameter"
ALLOW_FLAG = "--allow-missing-parts"


@dataclass(frozen=True)
class LeftOut:
    """A parameter of the checkpoint that the model does not get.

    Args:
        part: The part of our model that it would belong to; empty if we have none.
        reason: Why it is left out; what differs among tensors stands behind a colon.
        by_rule: Whether that is so for each checkpoint of the format.
    """

    part: str
    reason: str
    by_rule: bool = False


@dataclass(frozen=True)
class Conversion:
    """What became of a foreign checkpoint. Every name of it is in ``loaded`` or in ``left_out``.

    Where its format joins tensors before, the names are those of the joined ones.

    Args:
        state: The converted weights by our names, as many as were found.
        loaded: Our name by foreign name.
        left_out: What was left out, by foreign name.
        initialised: Our names that the checkpoint has nothing for.
    """

    state: dict[str, Tensor]
    loaded: dict[str, str]
    left_out: dict[str, LeftOut]
    initialised: list[str]


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
    source = SOURCE_FORMATS[kind].prepare(source)
    rules = SOURCE_FORMATS[kind].rules(source)
    found = {name: find_rule(name, rules) for name in source}
    targets = [rule.target for rule in found.values() if not rule.leave_out]
    check_backbone_depth(targets, model, path)
    tensors = {
        name: rule.select(source[name]) if rule.select else source[name]
        for name, rule in found.items()
    }
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
    counters = [name for name in model if name.endswith(f".{BATCH_COUNTER}")]
    initialised = [name for name in model if name not in state and name not in counters]
    # Frozen batch norms of other programs have no counters, and a checkpoint without them would
    # count as incomplete.
    state |= {
        name: torch.zeros((), dtype=torch.long)
        for name in counters
        if name.replace(BATCH_COUNTER, "running_mean") in state
    }
    return Conversion(state, loaded, left_out, initialised)


def check_parts(conversion: Conversion, kind: str, path: str) -> None:
    """Refuse a conversion that leaves out a part of either model.

    Looked at are the parts that each checkpoint of this kind has, and those that this one has
    weights for.

    Args:
        conversion: What became of the checkpoint.
        kind: Key of ``SOURCE_FORMATS``.
        path: The file of the checkpoint, for the message.

    Raises:
        UserInputError: Of the tensors of a part hardly any are there and fit, or as many as it
            lacks are left over under names that say nothing to us.
    """
    loaded = Counter(map(part_of, conversion.loaded.values()))
    new = Counter(map(part_of, conversion.initialised))
    strange, known = Counter[str](), Counter[str]()
    for entry in conversion.left_out.values():
        (strange if entry.reason in (UNKNOWN, NO_PARAMETER) else known)[entry.part] += 1
    parts = sorted({*SOURCE_FORMATS[kind].parts, *strange, *known} - {""})
    # Single convolutions of another architecture may have the same name and shape.
    lacking = [
        part
        for part in parts
        if 9 * loaded[part] <= new[part] or 0 < new[part] - known[part] <= strange.total()
    ]
    if lacking:
        counts = (f"{part} ({loaded[part]} of {loaded[part] + new[part]})" for part in lacking)
        examples = [
            f"; left out: {name} ({entry.reason})"
            for name, entry in conversion.left_out.items()
            if entry.part in lacking or entry.reason == UNKNOWN
        ]
        raise UserInputError(
            f"{path}: would leave out a part; tensors that fit: {', '.join(counts)}"
            f"{''.join(examples[:1])}; check --from and --to, or, to go on without these weights, "
            f"pass {ALLOW_FLAG}"
        )


def save_converted(conversion: Conversion, out: str, kind: str, source: str, config: str) -> None:
    """Write converted weights as a checkpoint of MMEngine, whole or not at all.

    Its folder is made. Kind, file name of the source and stem of the config are kept as ``meta``.
    """
    meta = {
        "converted_from": kind,
        "source": Path(source).name,
        "config": Path(config).stem,
        "mmttsrn_version": __version__,
    }
    content = {"meta": meta, "state_dict": conversion.state}
    # An open file: PyTorch's own writer does not name it in its errors.
    with partial_file(Path(out)) as partial, partial.open("wb") as file:
        torch.save(content, file)


def _check_kind(source: Mapping[str, Tensor], kind: str, path: str) -> None:
    if SOURCE_FORMATS[kind].recognises(source):
        return
    others = [name for name, other in SOURCE_FORMATS.items() if other.recognises(source)]
    names = f"those of --from {' or '.join(others)}" if others else ", ".join(list(source)[:3])
    raise UserInputError(
        f"{path}: not {SOURCE_FORMATS[kind].title}, as --from {kind} expects; its names are {names}"
    )


def _left_out(
    found: Mapping[str, Rule], tensors: Mapping[str, Tensor], model: Mapping[str, Tensor]
) -> dict[str, LeftOut]:
    reasons = {name: _misfit(rule, tensors[name], model) for name, rule in found.items()}
    # A bias is nothing without its weight.
    layers = {name: rule.target.rpartition(".")[0] for name, rule in found.items()}
    misfits = {layers[name] for name, reason in reasons.items() if reason}
    return {
        name: LeftOut(
            part_of(rule.target),
            reasons[name] or "the rest of its layer does not fit",
            bool(rule.leave_out) and rule.leave_out != UNKNOWN,
        )
        for name, rule in found.items()
        if layers[name] in misfits
    }


def _misfit(rule: Rule, tensor: Tensor, model: Mapping[str, Tensor]) -> str:
    """Why a tensor is not taken; empty if it is."""
    if rule.leave_out:
        return rule.leave_out
    own = model.get(rule.target)
    if own is None:
        return NO_PARAMETER
    if own.shape == tensor.shape:
        return ""
    if rule.target.startswith(CLASS_BRANCH) and own.shape[1:] == tensor.shape[1:]:
        return f"other classes: {len(tensor) - 1} in the checkpoint, {len(own) - 1} in the model"
    return f"of another shape: {tuple(tensor.shape)} instead of {tuple(own.shape)}"
