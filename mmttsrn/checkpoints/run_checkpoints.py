"""Checkpoints in the work folder of a training: written whole, found where some are not."""

import os
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.fileio import LocalBackend, register_backend
from torch import Tensor

from mmttsrn.checkpoints.loading import load_checkpoint_file
from mmttsrn.checkpoints.state import check_numbers
from mmttsrn.errors import UserInputError, input_errors
from mmttsrn.formats.output_files import PARTIAL_MARK, partial_file, replace_file

BACKEND = "mmttsrn.local"
POINTER = "last_checkpoint"
NAME = re.compile(r"(?:epoch|iter)_(\d+)\.pth")


@register_backend(BACKEND)
class WholeFileBackend(LocalBackend):
    """Local files that are there whole or not at all, and are removed in a second step.

    MMEngine removes old checkpoints before it writes a new one; :meth:`remove` only notes them, and
    :meth:`remove_noted` does it.
    """

    def __init__(self) -> None:
        self.noted: list[str] = []

    def put(self, obj: bytes | memoryview, filepath: str | Path) -> None:
        """Write a file next to its place, to the disk, and move it there."""
        with partial_file(Path(filepath)) as partial, partial.open("wb") as file:
            file.write(obj)
            file.flush()
            os.fsync(file.fileno())

    def remove(self, filepath: str | Path) -> None:
        """Note a file."""
        self.noted.append(str(filepath))

    def remove_noted(self) -> None:
        """Remove what was noted."""
        while self.noted:
            Path(self.noted.pop()).unlink(missing_ok=True)


def is_whole(path: Path) -> bool:
    """Whether the records of a file of ``torch.save`` are all there, by their checksums."""
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False


def point_to(checkpoint: Path) -> None:
    """Name a checkpoint in ``last_checkpoint`` next to it, so that the folder can be moved."""
    replace_file(checkpoint.with_name(POINTER), lambda partial: partial.write_text(checkpoint.name))


def remove_partial_files(folder: Path) -> None:
    """Remove what a process that was killed while it wrote has left."""
    for path in folder.glob(f"*{PARTIAL_MARK}*"):
        path.unlink(missing_ok=True)


def check_training_state(checkpoint: Mapping[str, Any], source: str) -> None:
    """Check that a checkpoint holds more than weights.

    Raises:
        UserInputError: A training cannot go on from it.
    """
    missing = [key for key in ("meta", "message_hub") if checkpoint.get(key) is None]
    if missing:
        raise UserInputError(
            f"--resume {source}: has weights but no {', '.join(missing)}, so no training can go on "
            f"from it; to start from its weights: --cfg-options load_from={source}"
        )
    with input_errors(f"--resume {source}"):
        meta = checkpoint["meta"]
        numbers = {"epoch": meta.get("epoch"), "iter": meta.get("iter")}
        numbers["seed"] = 0 if meta.get("seed") is None else meta["seed"]  # None: drawn by chance
        if not all(type(x) is int and x >= 0 for x in numbers.values()):
            raise UserInputError(f"--resume {source}: meta: expected numbers from 0, got {numbers}")
        state = {key: checkpoint.get(key) for key in ("optimizer", "ema_state_dict")}
        check_numbers(dict(_tensors(state, "", set())), f"--resume {source}")


def check_optimizer_state(own: Mapping[str, Any], given: Any, source: str) -> None:
    """Check that a state belongs to the optimizer that a training has, group by group.

    Args:
        own: State of that optimizer; of several ones, states by name.
        given: The state in the checkpoint.
        source: Where it is from, for the message.

    Raises:
        UserInputError: PyTorch cannot load it.
    """
    with input_errors(f"--resume {source}: optimizer: not the state of an optimizer"):
        if "param_groups" not in own:  # several optimizers
            for name, state in own.items():
                check_optimizer_state(state, given[name], source)
            return
        expected, found = (
            [len(group["params"]) for group in state["param_groups"]] for state in (own, given)
        )
    if expected != found:
        raise UserInputError(
            f"--resume {source}: optimizer: its groups have {found} parameters, those of the "
            f"optimizer of this config {expected}; go on with the config of that training, or start"
            f" from its weights: --cfg-options load_from={source}"
        )


def _tensors(content: Any, name: str, seen: set[int]) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors in dicts and lists in order, with dotted names; each container once."""
    if isinstance(content, Tensor):
        yield name.removeprefix("."), content
    elif isinstance(content, Mapping | list | tuple) and id(content) not in seen:
        seen.add(id(content))
        pairs = content.items() if isinstance(content, Mapping) else enumerate(content)
        for key, item in pairs:
            yield from _tensors(item, f"{name}.{key}", seen)


def latest_readable(
    work_dir: Path, read: Callable[[str], Any] = load_checkpoint_file
) -> tuple[Path | None, list[str]]:
    """Find the checkpoint that a run is to go on from.

    Args:
        work_dir: Work folder of the run.
        read: Called with a path; raises a ``UserInputError`` for one that cannot be read.

    Returns:
        The one that ``last_checkpoint`` names, or, where that cannot be read, the newest one that
        can, or None where there is none; and a line for each that cannot be read.

    Raises:
        UserInputError: There are some, but none can be read.
    """
    matches = [(NAME.fullmatch(path.name), path) for path in work_dir.glob("*.pth")]
    found = [(int(match[1]), path) for match, path in matches if match]
    candidates = [path for _, path in sorted(found, reverse=True)]
    pointer = work_dir / POINTER
    if pointer.is_file() and (text := pointer.read_text().strip()):
        # MMEngine writes paths that are relative to where it was started.
        places = (work_dir / text, Path(text), work_dir / Path(text).name)
        named = next(filter(Path.is_file, places), places[0])
        candidates = [named, *(path for path in candidates if path != named)]
    problems: list[str] = []
    for path in candidates:
        try:
            read(str(path))
        except UserInputError as error:
            problems.append(str(error))
        else:
            return path, problems
    if problems:
        raise UserInputError(problems[0])
    return None, problems
