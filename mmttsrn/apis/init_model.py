"""A model that is ready to predict: a release, one of the hub, or from a config."""

from os import PathLike
from pathlib import Path
from typing import Any

import torch
import yaml
from mmengine.config import Config
from mmengine.model import BaseModel

from mmttsrn.apis.building import build_from_config
from mmttsrn.apis.config_file import configs_folder, load_config
from mmttsrn.apis.hub_models import hub_checkpoint, hub_config
from mmttsrn.checkpoints.fetching import check_published_name, fetch
from mmttsrn.checkpoints.host_loading import local_path, safe_host_loading
from mmttsrn.checkpoints.hub_folder import is_hub_source, open_hub_folder
from mmttsrn.checkpoints.loading import load_checkpoint_file
from mmttsrn.checkpoints.metafile import ReleasedModel, released_models
from mmttsrn.checkpoints.state import as_checkpoint, take_bare_names
from mmttsrn.checkpoints.state_difference import check_checkpoint
from mmttsrn.checkpoints.stored_config import stored_config

DEFAULT_MODEL = "ttsrn-m2f_efficientnet-lite0_objects"  # a released one


def init_model(
    name_or_config: str | PathLike[str] | Config | None = None,
    checkpoint: str | PathLike[str] | None = None,
    device: str | torch.device = "cpu",
    *,
    metafile: str | PathLike[str] | None = None,
    allow_unsafe: bool = False,
) -> BaseModel:
    """Build a model and load its weights.

    Args:
        name_or_config: Name of a released model; ``hf://owner/repository[@revision]`` on the
            Hugging Face hub, or a folder with the same files; or path, name or content of a config.
            By default the config that the checkpoint carries, or without one the released model
            for objects of any kind.
        checkpoint: Path, URL or hub id of the weights. By default those of the release or of the
            hub; a config alone gives random weights.
        device: Where the model goes.
        metafile: Metafile that lists the released models; by default those of the package.
        allow_unsafe: Read the checkpoint even if that can run code from it.

    Returns:
        The model in evaluation mode, with ``cfg`` and the classes of the checkpoint in
        ``dataset_meta``, as MMDetection's ``init_detector`` leaves them.

    Raises:
        UserInputError: There is no such model, config or checkpoint; a download fails or is not
            the released file; reading the checkpoint could run code; or it does not fit.
    """
    release = hub = None
    if name_or_config is None and checkpoint is None:
        name_or_config = DEFAULT_MODEL
    if name_or_config is not None and not isinstance(name_or_config, Config):
        release = list_models(metafile).get(str(name_or_config))
        if release is None and is_hub_source(name_or_config):
            hub = open_hub_folder(name_or_config)
    content, origin = _read_weights(release, checkpoint, allow_unsafe)
    with safe_host_loading(allow_unsafe):
        cfg = hub_config(hub) if hub else _config_of(name_or_config, release, content, origin)
        model = build_from_config(cfg)
    if hub and content is None:
        content = hub_checkpoint(hub, model.state_dict(), allow_unsafe=allow_unsafe)
        origin = hub.name
    model.cfg, model.dataset_meta = cfg, {}
    if content is not None:
        check_checkpoint(model, content, origin)
        take_bare_names(model, content["state_dict"])
        model.load_state_dict(content["state_dict"], strict=False)
        model.dataset_meta = dict((content.get("meta") or {}).get("dataset_meta") or {})
    return model.to(device)


def list_models(metafile: str | PathLike[str] | None = None) -> dict[str, ReleasedModel]:
    """Released models of a metafile by name, by default of those that ``model-index.yml`` names."""
    root = configs_folder().parent
    index = yaml.safe_load((root / "model-index.yml").read_text(encoding="utf-8"))
    paths = [root / path for path in index["Import"]] if metafile is None else [Path(metafile)]
    return {name: model for path in paths for name, model in released_models(path).items()}


def start_from_released(cfg: Config) -> None:
    """Where ``load_from`` names a released model, set it to its file, downloaded if need be.

    Raises:
        UserInputError: The file cannot be had, or is another one.
    """
    name = cfg.get("load_from")
    release = list_models().get(name) if name else None
    if release is not None:
        cfg.load_from = str(fetch(release.weights, release.sha256))


def _read_weights(
    release: ReleasedModel | None, checkpoint: str | PathLike[str] | None, allow_unsafe: bool
) -> tuple[dict[str, Any] | None, str]:
    """Content of the checkpoint, if there is one, and its path."""
    if checkpoint is not None:
        path = local_path(str(checkpoint))
        check_published_name(path)
    elif release is not None:
        path = fetch(release.weights, release.sha256)
    else:
        return None, ""
    content = load_checkpoint_file(path, allow_unsafe=allow_unsafe)
    return as_checkpoint(content, str(path)), str(path)


def _config_of(
    name_or_config: str | PathLike[str] | Config | None,
    release: ReleasedModel | None,
    content: dict[str, Any] | None,
    origin: str,
) -> Config:
    """Return the config: that of a release is the one that its checkpoint was trained with."""
    if isinstance(name_or_config, Config):
        return name_or_config
    has_config = content is not None and "cfg" in (content.get("meta") or {})
    if content is not None and (name_or_config is None or (release and has_config)):
        return stored_config(content, origin)
    if release is None:
        return load_config(str(name_or_config))
    return load_config(str(configs_folder().parent / release.config))
