"""How a model of the hub wants its frames, as steps of a config."""

from math import isfinite
from typing import Any

from mmengine.config import Config

from mmttsrn.checkpoints.hub_folder import HubFolder
from mmttsrn.errors import UserInputError, input_errors

# Pillow's numbers of filters.
FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}


def set_frame_steps(cfg: Config, folder: HubFolder, size_divisor: int = 1) -> None:
    """Let the test pipeline and the preprocessor of a config do what a processor does.

    Frames are resized by Pillow, as there. They are padded to multiples of ``size_divisor``, as the
    authors of Mask2Former do it; Transformers stretches them instead.

    Args:
        cfg: The config, changed in place. The first step of its test pipeline has the transforms
            of single frames.
        folder: The model.
        size_divisor: What its processor pads to where its file does not say.

    Raises:
        UserInputError: The processor does something else; the line names file and field.
    """
    fields, place = folder.preprocessing, f"{folder.name}/{folder.preprocessor}"
    for key in ("do_center_crop", "pad_size"):
        if fields.get(key):
            raise UserInputError(f"{place}: {key}: not supported, got {fields[key]}")
    clip_step = cfg.test_dataloader.dataset.pipeline[0]
    steps = [step for step in clip_step.transforms if not step.type.endswith("Resize")]
    if fields.get("do_resize", True):
        steps.append(_resize(fields, place))
    clip_step.transforms = steps
    # (x * factor - mean) / std is (x - mean / factor) / (std / factor).
    factor = fields.get("rescale_factor", 1 / 255) if fields.get("do_rescale", True) else 1.0
    mean, std = [0.0] * 3, [1.0] * 3
    if fields.get("do_normalize", True):
        mean = _three_numbers(fields, "image_mean", place)
        std = _three_numbers(fields, "image_std", place)
    preprocessor = cfg.model.data_preprocessor
    with input_errors(f"{place}: rescale_factor"):
        preprocessor.mean, preprocessor.std = ([x / factor for x in xs] for xs in (mean, std))
    preprocessor.bgr_to_rgb = True
    with input_errors(f"{place}: size_divisor"):
        preprocessor.pad_size_divisor = int(fields.get("size_divisor", size_divisor) or 1)


def _resize(fields: dict[str, Any], place: str) -> dict[str, Any]:
    """Return the transform that resizes a frame."""
    size, number = fields.get("size"), fields.get("resample", 2)
    match size:
        case {"height": int(height), "width": int(width)}:
            step = dict(scale=(width, height), keep_ratio=False)
        case {"shortest_edge": int(short), "longest_edge": int(long)} if short <= long:
            step = dict(scale=(long, short), keep_ratio=True)
        case _:
            expected = "expected height and width, or shortest_edge and longest_edge"
            raise UserInputError(f"{place}: size: {expected}, got {size}")
    if number not in FILTERS:
        raise UserInputError(f"{place}: resample: expected one of {list(FILTERS)}, got {number}")
    return dict(type="mmdet.Resize", interpolation=FILTERS[number], backend="pillow", **step)


def _three_numbers(fields: dict[str, Any], key: str, place: str) -> list[float]:
    """Return what a field has for red, green and blue."""
    value = fields.get(key)
    with input_errors(f"{place}: {key}"):
        numbers = [float(number) for number in value or ()]
    if len(numbers) != 3 or not all(map(isfinite, numbers)):
        raise UserInputError(f"{place}: {key}: expected three numbers, got {value}")
    return numbers
