"""A model as the Hugging Face hub has it: a folder with its config, preprocessing and weights."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from mmengine.dist import barrier, get_rank

from mmttsrn.checkpoints.fetching import cached_path, fetch, is_remote
from mmttsrn.errors import UserInputError, input_errors

HUB_FOLDER = re.compile(r"hf://[^/@]+/[^/@]+(?:@[^/]+)?")
CONFIG = "config.json"
# The first that is there counts. The last one has those of several kinds of data.
PREPROCESSORS = (
    "video_preprocessor_config.json",
    "preprocessor_config.json",
    "processor_config.json",
)
WEIGHTS = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True)
class HubFolder:
    """A model of the hub.

    Args:
        name: Where it is: ``hf://owner/repository[@revision]`` or a path.
        config: Content of ``config.json``.
        preprocessing: What its processor does with a frame.
        preprocessor: Name of the file that says so, for messages.
    """

    name: str
    config: dict[str, Any]
    preprocessing: dict[str, Any]
    preprocessor: str

    @cached_property
    def weights(self) -> Path:
        """The file of the weights, downloaded when it is asked for; by the first process first.

        Raises:
            UserInputError: There is none, or it cannot be downloaded.
        """
        is_first = get_rank() == 0
        if not is_first:
            barrier()
        try:
            return _find(self.name, WEIGHTS)
        finally:
            if is_first:
                barrier()

    @property
    def classes(self) -> list[str]:
        """Names of the classes by label.

        Raises:
            UserInputError: ``id2label`` does not name the classes 0, 1, 2, ...
        """
        place = f"{self.name}/{CONFIG}: id2label"
        with input_errors(place):
            names = {int(label): str(name) for label, name in self.config["id2label"].items()}
        if sorted(names) != list(range(len(names))):
            raise UserInputError(f"{place}: expected the labels 0, 1, 2, ..., got {sorted(names)}")
        return [names[label] for label in range(len(names))]


def is_hub_source(source: str | PathLike[str]) -> bool:
    """Return whether this names a model of the hub, or a folder that holds one."""
    return str(source).startswith("hf://") or (Path(source).expanduser() / CONFIG).is_file()


def open_hub_folder(source: str | PathLike[str]) -> HubFolder:
    """Read what a model of the hub is; files are downloaded into the cache once.

    Args:
        source: ``hf://owner/repository[@revision]``, or a folder.

    Raises:
        UserInputError: It is no such name; a file is missing, cannot be downloaded or is no JSON.
    """
    name = str(source).rstrip("/")
    if is_remote(name) and HUB_FOLDER.fullmatch(name) is None:
        raise UserInputError(f"{source}: expected hf://owner/repository[@revision] or a folder")
    config = _read_object(name, _find(name, (CONFIG,)))
    path = _find(name, PREPROCESSORS)
    preprocessing = _read_object(name, path)
    for kind in ("video_processor", "image_processor"):
        if isinstance(preprocessing.get(kind), dict):
            preprocessing = preprocessing[kind]
            break
    return HubFolder(name, config, preprocessing, path.name)


def _find(folder: str, files: Sequence[str]) -> Path:
    """Return the first of these files that a folder has.

    Raises:
        UserInputError: It has none of them, or cannot be reached.
    """
    sources = [f"{folder}/{file}" for file in files]
    remote = is_remote(folder)
    # What was downloaded once is taken without asking for what the repository lacks.
    for source in sources:
        path = cached_path(source) if remote else Path(source).expanduser()
        if path.is_file():
            return path
    for source in sources if remote else ():
        try:
            return fetch(source)
        except UserInputError as error:
            if not _is_absent(error.__cause__):
                raise
    raise UserInputError(f"{folder}: there is no {' and no '.join(files)} in it")


def _is_absent(error: BaseException | None) -> bool:
    """Whether the hub has said that a repository has no such file."""
    from huggingface_hub import utils  # here: it takes long to import

    # The hub that cannot be reached counts as an entry that is not found on this machine.
    return isinstance(error, utils.EntryNotFoundError) and not isinstance(
        error, utils.LocalEntryNotFoundError
    )


def _read_object(folder: str, path: Path) -> dict[str, Any]:
    place = f"{folder}/{path.name}"
    with input_errors(place):
        content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise UserInputError(f"{place}: expected a JSON object, got {type(content).__name__}")
    return content
