"""``metafile.yml``: the list of released models, as mim and other tools of OpenMMLab read it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mmttsrn.checkpoints.fetching import is_remote
from mmttsrn.errors import UserInputError, input_errors
from mmttsrn.formats.output_files import replace_file


@dataclass(frozen=True)
class ReleasedModel:
    """A model of a metafile.

    Args:
        name: Its name.
        config: Path of its config in the repository.
        weights: Path, URL or hub id of the checkpoint.
        sha256: SHA-256 of that file.
    """

    name: str
    config: str
    weights: str
    sha256: str


def released_models(path: Path) -> dict[str, ReleasedModel]:
    """Read the models of a metafile by name; a relative path of weights starts at its folder.

    Raises:
        UserInputError: It is not a metafile, or an entry lacks a field that loading needs.
    """
    models = {}
    for entry in _read(path)["Models"]:
        with input_errors(f"{path}: Models: {entry}"):
            name, config, weights, sha256 = (
                entry[key] for key in ("Name", "Config", "Weights", "SHA256")
            )
            weights = weights if is_remote(weights) else str(path.parent / weights)
            models[name] = ReleasedModel(name, config, weights, sha256)
            if not re.fullmatch(r"[0-9a-f]{64}", sha256):  # or a download would go unchecked
                raise UserInputError(f"{path}: {name}: SHA256: expected 64 hexadecimal digits")
    return models


def update_metafile(path: Path, entry: Mapping[str, Any]) -> None:
    """Add an entry, or put it in the place of the one of its name.

    The comment at the top of the file stays.
    """
    content = _read(path)
    with input_errors(f"{path}: Models"):
        names = [model["Name"] for model in content["Models"]]
        place = names.index(entry["Name"]) if entry["Name"] in names else len(names)
        content["Models"][place : place + 1] = [dict(entry)]
    top = re.match(r"(#.*\n)*", path.read_text(encoding="utf-8"))
    body = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    text = (top[0] if top else "") + body
    replace_file(path, lambda draft: draft.write_text(text, encoding="utf-8"))


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():  # a device may have no end
        raise UserInputError(f"{path}: there is no such metafile")
    with input_errors(f"{path}: not a metafile"):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        list(content["Models"])
    return content
