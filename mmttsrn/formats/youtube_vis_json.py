"""Reading and checking of annotation files in the official YouTube-VIS format."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

from mmengine import fileio

from ..errors import UserInputError
from .rle import encode_segmentation

Encode = Callable[[Any, int, int], dict[str, Any]]
FORMAT_HINT = "the file must follow the official YouTube-VIS json format"


def load_youtube_vis(
    ann_file: str, backend_args: dict | None = None, need_annotations: bool = True
) -> dict[str, list[dict]]:
    """Reads an official YouTube-VIS json and checks every field that is used later.

    Polygons and uncompressed RLE become compressed RLE, the smallest form; empty
    segmentations become ``None``.

    Args:
        ann_file: Path or URL of the json.
        backend_args: Arguments of the mmengine file backend.
        need_annotations: Whether a file without annotations is an error (training) or not
            (the published valid and test files have none).

    Returns:
        ``videos``, ``categories`` and ``annotations`` of the file. ``annotations`` is empty for a
        file without ground truth.

    Raises:
        UserInputError: The file is missing or breaks the format; the message names file, field,
            what was expected and what to do.
    """
    return check_youtube_vis(ann_file, read_json_object(ann_file, backend_args), need_annotations)


def check_youtube_vis(
    ann_file: str,
    content: Any,
    need_annotations: bool,
    encode: Encode = encode_segmentation,
) -> dict[str, list[dict]]:
    """Checks the content of an official YouTube-VIS json; see :func:`load_youtube_vis`.

    Args:
        ann_file: What the content is called in messages.
        content: The parsed json; masks and boxes are replaced in place.
        need_annotations: Whether a file without annotations is an error.
        encode: Turns a segmentation, the height and the width of its frame into compressed RLE;
            raises TypeError or ValueError with what is wrong.
    """
    if not isinstance(content, dict):
        _fail(ann_file, "top level", f"is a {type(content).__name__}, not an object", FORMAT_HINT)
    for key in ("videos", "categories"):
        if not isinstance(content.get(key), list):
            _fail(ann_file, key, "missing or not a list", FORMAT_HINT)
    _check_videos(ann_file, content["videos"])
    _check_categories(ann_file, content["categories"])
    if not has_ground_truth(content):
        if need_annotations:
            _fail(
                ann_file,
                "annotations",
                "missing, empty or without segmentations",
                "train on a split that is annotated",
            )
        content["annotations"] = []
    _check_annotations(ann_file, content, encode)
    return {key: content[key] for key in ("videos", "categories", "annotations")}


def read_json_object(ann_file: str, backend_args: dict | None = None) -> dict[str, Any]:
    """Parses a json file whose top level is an object."""
    try:
        text = fileio.get(ann_file, backend_args=backend_args)
    except OSError as error:
        raise UserInputError(
            f"{ann_file}: annotation file cannot be read ({error.strerror}); check ann_file and"
            " data_root of the dataset"
        ) from error
    try:
        content = json.loads(text)
    except ValueError as error:  # json syntax or character encoding
        raise UserInputError(
            f"{ann_file}: not valid json ({error}); is the download complete?"
        ) from error
    return content


def has_ground_truth(content: dict[str, Any]) -> bool:
    """Whether a YouTube-VIS json holds any segmentation."""
    annotations = content.get("annotations")
    return isinstance(annotations, list) and any(
        isinstance(annotation, dict) and annotation.get("segmentations")
        for annotation in annotations
    )


def _fail(ann_file: str, field: str, problem: str, remedy: str) -> NoReturn:
    raise UserInputError(f"{ann_file}: {field}: {problem}; {remedy}")


def _require(ann_file: str, entry: Any, keys: tuple[str, ...], field: str) -> None:
    if not isinstance(entry, dict):
        _fail(ann_file, field, f"is a {type(entry).__name__}, not an object", FORMAT_HINT)
    for key in keys:
        if entry.get(key) is None:
            _fail(ann_file, f"{field}.{key}", "missing key", FORMAT_HINT)


def _check_unique_id(ann_file: str, entry: dict, seen: dict, kind: str, index: int) -> None:
    if isinstance(entry["id"], bool) or not isinstance(entry["id"], (int, str)):
        problem = f"{entry['id']!r} is no id"
        _fail(ann_file, f"{kind}[{index}].id", problem, "expected an integer")
    if entry["id"] in seen:
        _fail(
            ann_file,
            f"{kind}[{index}].id",
            f"{entry['id']} is already the id of {kind}[{seen[entry['id']]}]",
            f"give each of the {kind} an id of its own",
        )
    seen[entry["id"]] = index


def _check_videos(ann_file: str, videos: list) -> None:
    if not videos:
        _fail(ann_file, "videos", "empty list", "the file must list at least one video")
    seen: dict[Any, int] = {}
    for index, video in enumerate(videos):
        field = f"videos[{index}]"
        _require(ann_file, video, ("id", "width", "height", "file_names"), field)
        _check_unique_id(ann_file, video, seen, "videos", index)
        for key in ("width", "height"):
            if type(video[key]) is not int or video[key] < 1:
                problem = f"{video[key]!r} is not a size in pixels"
                _fail(ann_file, f"{field}.{key}", problem, "expected a positive integer")
        names = video["file_names"]
        if (
            not names
            or not isinstance(names, list)
            or not all(isinstance(name, str) for name in names)
        ):
            problem = "must be a non-empty list of frame paths"
            _fail(ann_file, f"{field}.file_names", problem, FORMAT_HINT)
        length = video.setdefault("length", len(names))
        if type(length) is not int or length != len(names):
            _fail(
                ann_file,
                f"{field}.file_names",
                f"lists {len(names)} frames but length is {video['length']}",
                "the two must agree",
            )


def _check_categories(ann_file: str, categories: list) -> None:
    if not categories:
        _fail(ann_file, "categories", "empty list", "the file must list its classes")
    seen: dict[Any, int] = {}
    for index, category in enumerate(categories):
        _require(ann_file, category, ("id", "name"), f"categories[{index}]")
        _check_unique_id(ann_file, category, seen, "categories", index)


def _check_annotations(ann_file: str, content: dict[str, Any], encode: Encode) -> None:
    videos = {video["id"]: video for video in content["videos"]}
    category_ids = {category["id"] for category in content["categories"]}
    for index, annotation in enumerate(content["annotations"]):
        field = f"annotations[{index}]"
        _require(ann_file, annotation, ("video_id", "category_id", "segmentations"), field)
        for key, known, where in (
            ("video_id", videos, "videos"),
            ("category_id", category_ids, "categories"),
        ):
            if not isinstance(annotation[key], (int, str)) or annotation[key] not in known:
                problem = f"{annotation[key]!r} is not an id in '{where}'"
                _fail(ann_file, f"{field}.{key}", problem, f"add it to '{where}' or correct it")
        _check_annotation(ann_file, annotation, videos[annotation["video_id"]], field, encode)


def _check_annotation(
    ann_file: str, annotation: dict, video: dict, field: str, encode: Encode
) -> None:
    """Checks the per-frame lists of one annotation; encodes its masks and fills boxes in place."""
    for key in ("segmentations", "bboxes", "areas"):
        entries = annotation.get(key)
        if entries is not None and not isinstance(entries, list):
            problem = f"is a {type(entries).__name__}, not a list"
            _fail(ann_file, f"{field}.{key}", problem, "expected one entry per frame")
        if entries is not None and len(entries) != video["length"]:
            problem = f"has {len(entries)} entries but video {video['id']} has {video['length']}"
            remedy = "expected one entry per frame, null where the object is absent"
            _fail(ann_file, f"{field}.{key}", f"{problem} frames", remedy)
    segmentations = annotation["segmentations"]
    for frame, segmentation in enumerate(segmentations):
        try:
            segmentations[frame] = (
                encode(segmentation, video["height"], video["width"]) if segmentation else None
            )
        except (TypeError, ValueError) as error:
            remedy = f"correct the mask or the size of video {video['id']}"
            _fail(ann_file, f"{field}.segmentations[{frame}]", str(error), remedy)
    annotation["bboxes"] = annotation.get("bboxes") or [None] * video["length"]
    for frame, box in enumerate(annotation["bboxes"]):
        if box and not _is_box(box):
            problem = f"{box!r} is no box"
            _fail(ann_file, f"{field}.bboxes[{frame}]", problem, "expected [x, y, width, height]")


def _is_box(box: Any) -> bool:
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(isinstance(number, (int, float)) for number in box)
    )
