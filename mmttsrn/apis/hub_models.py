"""Models of the Hugging Face hub as a config and weights of ours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config
from torch import Tensor

from mmttsrn.apis import hub_mask2former, hub_videomt
from mmttsrn.checkpoints.conversion import convert
from mmttsrn.checkpoints.hub_folder import CONFIG, HubFolder
from mmttsrn.checkpoints.loading import load_checkpoint_file
from mmttsrn.checkpoints.state import named_tensors
from mmttsrn.errors import UserInputError, input_errors


@dataclass(frozen=True)
class HubModel:
    """How a kind of model becomes one of ours.

    Args:
        config_of: Gives the whole config for a folder: the model, and ``test_dataloader`` with the
            transforms of its frames.
        source_format: Key of ``SOURCE_FORMATS``, by which its weights are converted.
        num_results: Pairs of sequence and class that the published evaluation keeps of a video.
    """

    config_of: Callable[[HubFolder], Config]
    source_format: str
    num_results: int


# Mask2Former is trained on 2 frames and tested on whole videos, of which 36 take 11 GB.
WINDOW = 8
MASK2FORMER = HubModel(hub_mask2former.config_of, "mask2former-hf", 10)
# By the ``model_type`` of config.json.
HUB_MODELS: dict[str, HubModel] = {
    "mask2former": MASK2FORMER,
    "video_mask2former": MASK2FORMER,
    "videomt": HubModel(hub_videomt.config_of, "videomt", 20),
}


def hub_config(folder: HubFolder) -> Config:
    """Return the config of a model of the hub, to predict videos of any length.

    Each sequence is a result, as its best class; frames in which no class reaches 0.01 are hidden.
    Windows have at most ``WINDOW`` frames.

    Raises:
        UserInputError: It is of a kind, or has a setting, that there is no model for.
    """
    cfg = _own_config(folder)
    cfg.model.post_processor.update(top_k=None, null_frame_score=0.01)
    cfg.model.head.num_frames = min(cfg.model.head.num_frames, WINDOW)
    return cfg


def use_hub_model(cfg: Config, folder: HubFolder) -> None:
    """Let a config test a model of the hub on its data, as its authors do.

    The frames are those that the model wants. The best pairs of sequence and class are kept, as
    many as in the published evaluation, and no frame is hidden, however low its score.

    Raises:
        UserInputError: See :func:`hub_config`.
    """
    own = _own_config(folder)
    own.model.post_processor.update(top_k=_kind_of(folder).num_results, null_frame_score=0.0)
    own.model.clip_linker.min_score = 0.0
    cfg.model = own.model
    cfg.test_dataloader.dataset.pipeline = own.test_dataloader.dataset.pipeline


def hub_checkpoint(
    folder: HubFolder, model_state: Mapping[str, Tensor], *, allow_unsafe: bool = False
) -> dict[str, Any]:
    """Return the weights of a model of the hub as a checkpoint, with the names of its classes.

    Args:
        folder: The model.
        model_state: The state of the model that :func:`hub_config` describes.
        allow_unsafe: Read the file even if that can run code from it.

    Raises:
        UserInputError: The weights are missing, cannot be read safely, or do not fit.
    """
    path = str(folder.weights)
    content = load_checkpoint_file(path, allow_unsafe=allow_unsafe)
    weights = named_tensors(content, path)
    conversion = convert(weights, _kind_of(folder).source_format, model_state, path)
    for name, entry in conversion.left_out.items():
        if not entry.by_rule:
            raise UserInputError(f"{path}: {name} does not fit {CONFIG}: {entry.reason}")
    return {"meta": {"dataset_meta": {"classes": folder.classes}}, "state_dict": conversion.state}


def _own_config(folder: HubFolder) -> Config:
    with input_errors(f"{folder.name}/{CONFIG}"):
        return _kind_of(folder).config_of(folder)


def _kind_of(folder: HubFolder) -> HubModel:
    kind = str(folder.config.get("model_type"))
    if kind not in HUB_MODELS:
        expected = ", ".join(HUB_MODELS)
        raise UserInputError(
            f"{folder.name}/{CONFIG}: model_type: expected one of {expected}, got {kind}"
        )
    return HUB_MODELS[kind]
