"""``metafile.yml``: the list of released models, as mim and other tools of OpenMMLab read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mmttsrn.checkpoints.fetching import is_remote
from mmttsrn.checkpoints.publishing import Release
from mmttsrn.errors import UserInputError
from mmttsrn.formats.output_files import replace_file

COLLECTION = "TT-SRN"
TASK = "Video Instance Segmentation"
LINE_WIDTH = 100
# Keys of a file's place and SHA-256, and the file's suffix.
FILES = (
    ("Weights", "SHA256", ".pth"),
    ("Safetensors", "Safetensors SHA256", ".safetensors"),
)


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


def read_metafile(path: Path) -> dict[str, Any]:
    """Read a metafile.

    Raises:
        UserInputError: It is missing or not a metafile.
    """
    if path.exists() and not path.is_file():
        raise UserInputError(f"{path}: is no file; give the metafile, such as metafile.yml")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserInputError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise UserInputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not isinstance(content.get("Models"), list):
        raise UserInputError(f"{path}: Models: expected a list of models, which may be empty")
    return content


def released_models(path: Path) -> dict[str, ReleasedModel]:
    """Read the models of a metafile by name; weights by a relative path lie beside it.

    Raises:
        UserInputError: An entry lacks a field that loading needs.
    """
    models = {}
    for entry in read_metafile(path)["Models"]:
        fields = ("Name", "Config", "Weights", "SHA256")
        missing = [field for field in fields if not isinstance(entry.get(field), str)]
        if missing:
            raise UserInputError(
                f"{path}: model {entry.get('Name')}: no {' and no '.join(missing)}"
            )
        name, config, weights, sha256 = (entry[field] for field in fields)
        weights = weights if is_remote(weights) else str(path.parent / weights)
        models[name] = ReleasedModel(name, config, weights, sha256)
    return models


def model_entry(
    release: Release, config: str, location: str, dataset: str | None
) -> dict[str, Any]:
    """Return the entry of a release.

    Args:
        release: What has been published.
        config: Path of its config in the repository.
        location: What comes before the names of the files: a URL, a hub id or a folder, which is
            relative to that of the metafile or absolute.
        dataset: Name of the data that the metrics were measured on; without it they are left out.
    """
    meta = release.meta
    entry: dict[str, Any] = {
        "Name": release.name,
        "In Collection": COLLECTION,
        "Config": config,
        "Metadata": {"Parameters": release.parameters, "Config Hash": meta["config_hash"]},
    }
    if dataset is not None:
        entry["Metadata"]["Training Data"] = dataset
        if meta["metrics"]:
            metrics = {name: round(value, 4) for name, value in meta["metrics"].items()}
            entry["Results"] = [{"Task": TASK, "Dataset": dataset, "Metrics": metrics}]
    folder = f"{location.rstrip('/')}/" if location else ""
    for key, digest, suffix in FILES:
        if suffix in release.files:
            entry[key] = folder + release.files[suffix].name
            entry[digest] = release.sha256[suffix]
    return entry


def update_metafile(path: Path, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Add an entry, or put it in the place of the one of its name; return the new content.

    The comment at the top of the file stays.
    """
    content = read_metafile(path)
    names = [model.get("Name") for model in content["Models"]]
    if entry["Name"] in names:
        content["Models"][names.index(entry["Name"])] = dict(entry)
    else:
        content["Models"].append(dict(entry))
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    first = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    body = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=LINE_WIDTH)
    text = "".join(lines[:first]) + body
    replace_file(path, lambda draft: draft.write_text(text, encoding="utf-8"))
    return content
