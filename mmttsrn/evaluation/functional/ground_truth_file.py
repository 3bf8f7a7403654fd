"""Ground truth of the official YouTube-VIS format, checked, in the form that is evaluated."""

from __future__ import annotations

import os
from typing import Any

from ...errors import UserInputError
from ...formats.encoded_masks import compress_masks
from ...formats.json_stream import read_json
from ...formats.rle import encode_segmentation
from ...formats.youtube_vis_json import check_youtube_vis
from .intervals import RunLengthError, decode_intervals
from .tracks import Counts, GroundTruth, TruthTrack, Video
from .truth_groups import OCCLUSION_LEVELS

# Written by some tools for the long videos of YouTube-VIS 2022.
LONG_VIDEO_KEYS = ("is_long", "long")


def load_ground_truth(source: str | os.PathLike | dict[str, Any]) -> GroundTruth:
    """Read and check ground truth; see :func:`~.evaluate.evaluate_ytvis`.

    Args:
        source: A YouTube-VIS json or its content, which is not changed. The frames of its videos
            need not be named if ``length`` is there.

    Raises:
        UserInputError: It is broken; the message names file and field.
    """
    if isinstance(source, (str, os.PathLike)):
        name = os.fspath(source)
        content = read_json(source, _own_entry)
    else:
        name = "ground truth"
        content = _own_content(source)
    content = check_youtube_vis(name, content, need_annotations=False, encode=_encode)
    videos = {
        video["id"]: Video(
            video["id"],
            video["height"],
            video["width"],
            video["length"],
            next((bool(video[key]) for key in LONG_VIDEO_KEYS if key in video), None),
        )
        for video in sorted(content["videos"], key=lambda video: str_or_int(video["id"]))
    }
    categories = {
        category["id"]: str(category["name"])
        for category in sorted(content["categories"], key=lambda entry: str_or_int(entry["id"]))
    }
    for index, annotation in enumerate(content["annotations"]):
        video = videos[annotation["video_id"]]
        video.truths.append(_track(f"{name}: annotations[{index}].", annotation, video))
    return GroundTruth(name, videos, categories)


def str_or_int(identifier: int | str) -> tuple[bool, int | str]:
    """Sorting key of ids: numbers first."""
    return isinstance(identifier, str), identifier


def _own_content(content: Any) -> Any:
    """A copy as deep as the checks change it."""
    if not isinstance(content, dict):
        return content
    return {
        key: [_own_entry(entry) for entry in value] if isinstance(value, list) else value
        for key, value in content.items()
    }


def _own_entry(entry: Any) -> Any:
    """Copy a video or an annotation; large uncompressed masks become small strings."""
    if not isinstance(entry, dict):
        return entry
    entry = dict(entry)
    if type(entry.get("length")) is int and entry.get("file_names") is None:
        entry["file_names"] = [""] * min(entry["length"], 10**6)
    if isinstance(entry.get("segmentations"), list):
        entry["segmentations"] = list(compress_masks(entry["segmentations"]))
    if isinstance(entry.get("bboxes"), list):
        entry["bboxes"] = list(entry["bboxes"])
    return entry


def _encode(segmentation: Any, height: int, width: int) -> dict[str, Any]:
    """Like :func:`encode_segmentation`, but compressed counts are checked when they are decoded."""
    if (
        isinstance(segmentation, dict)
        and isinstance(segmentation.get("counts"), str)
        and segmentation.get("size") == [height, width]
    ):
        return segmentation
    return encode_segmentation(segmentation, height, width)


def _track(source: str, annotation: dict[str, Any], video: Video) -> TruthTrack:
    counts: Counts = [rle and rle["counts"] for rle in annotation["segmentations"]]
    areas = annotation.get("areas")
    if areas is None:
        areas = _measured_areas(source, counts, video)
    return TruthTrack(
        annotation["category_id"],
        counts,
        bool(annotation.get("iscrowd", 0)),
        _mean_area(source, areas),
        _mean_occlusion(source, annotation, counts),
        source,
    )


def _measured_areas(source: str, counts: Counts, video: Video) -> list[int]:
    try:
        masks = decode_intervals([counts], video.length, video.height * video.width)
    except RunLengthError as error:
        raise UserInputError(
            f"{source}segmentations[{error.frame}]: {error.problem}; correct the mask"
        ) from error
    return masks.areas[0].tolist()


def _mean_area(source: str, areas: list[Any]) -> float:
    for frame, area in enumerate(areas):
        if area is not None and (isinstance(area, bool) or not isinstance(area, (int, float))):
            raise UserInputError(
                f"{source}areas[{frame}]: {area!r} is no number of pixels; correct it, or leave"
                " out areas to have them measured"
            )
    visible = [area for area in areas if area]
    return sum(visible) / len(visible) if visible else 0.0


def _mean_occlusion(source: str, annotation: dict[str, Any], counts: Counts) -> float | None:
    """Mean occlusion of the frames with a mask; None where the file does not tell."""
    levels = annotation.get("occlusion")
    if levels is None:
        return None
    if not isinstance(levels, list) or len(levels) != len(counts):
        raise UserInputError(
            f"{source}occlusion: expected a list with one entry per frame, {len(counts)}"
        )
    visible = []
    for frame, (level, text) in enumerate(zip(levels, counts, strict=True)):
        if level is None or text is None:
            continue
        if not isinstance(level, str) or level not in OCCLUSION_LEVELS:
            raise UserInputError(
                f"{source}occlusion[{frame}]: {level!r} is unknown; expected"
                f" {', '.join(OCCLUSION_LEVELS)} or null"
            )
        visible.append(OCCLUSION_LEVELS[level])
    return sum(visible) / len(visible) if visible else None
