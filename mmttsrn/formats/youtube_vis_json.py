"""Checks of annotation files in the official YouTube-VIS format."""

from collections.abc import Container
from reprlib import repr as short_repr
from typing import Any

from mmttsrn.errors import UserInputError
from mmttsrn.formats.rle import coordinate_limit, encode_segmentation

# Larger frames are a mistake; evaluating their masks would fill the memory of a machine.
MAX_PIXELS = 2**27
MAX_SIDE = 2**16
NUMBERS = (int, float)
FORMAT_HINT = "the file must follow the official YouTube-VIS json format"


def check_youtube_vis(
    name: str, content: Any, need_annotations: bool = False, need_frames: bool = False
) -> None:
    """Check every field that is used later, but not the counts of compressed RLE.

    Masks of other forms become compressed RLE and empty ones None, and what may be left out
    (``length``, ``bboxes``, ``annotations``) is filled in, all in place.

    Args:
        name: What the content is called in messages.
        content: The parsed json.
        need_annotations: Whether a file without ground truth is an error (training) or not (the
            published valid and test files have none).
        need_frames: Whether the frames of each video have to be named.

    Raises:
        UserInputError: It breaks the format; the message names file, field, what was expected and
            what to do.
    """
    if not isinstance(content, dict):
        problem = f"is a {type(content).__name__}, not an object"
        raise UserInputError(f"{name}: top level: {problem}; {FORMAT_HINT}")
    for key in ("videos", "categories"):
        if not isinstance(content.get(key), list):
            raise UserInputError(f"{name}: {key}: missing or not a list; {FORMAT_HINT}")
    videos = _entries_by_id(
        name, content, "videos", ("id", "width", "height"), "at least one video"
    )
    for index, video in enumerate(content["videos"]):
        _check_video(f"{name}: videos[{index}]", video, need_frames)
    categories = _entries_by_id(name, content, "categories", ("id", "name"), "its classes")
    if not _has_ground_truth(content):
        if need_annotations:
            raise UserInputError(
                f"{name}: annotations: missing, empty or without segmentations; train on a split"
                " that is annotated"
            )
        content["annotations"] = []
    for index, annotation in enumerate(content["annotations"]):
        place = f"{name}: annotations[{index}]"
        _require(annotation, ("video_id", "category_id", "segmentations"), place)
        for key, kind, known in (
            ("video_id", "videos", videos),
            ("category_id", "categories", categories),
        ):
            if not is_known_id(annotation[key], known):
                raise UserInputError(
                    f"{place}.{key}: {short_repr(annotation[key])} is not an id in '{kind}', such"
                    f" as {next(iter(known))!r}; add it to '{kind}' or correct it"
                )
        _check_annotation(place, annotation, videos[annotation["video_id"]])


def is_known_id(identifier: Any, known: Container[int | str]) -> bool:
    """Whether a value is one of the ids; 1.0 and true are not 1, though Python says so."""
    return type(identifier) in (int, str) and identifier in known


def _has_ground_truth(content: dict[str, Any]) -> bool:
    """Whether a YouTube-VIS json holds any segmentation."""
    annotations = content.get("annotations")
    return isinstance(annotations, list) and any(
        isinstance(annotation, dict) and annotation.get("segmentations")
        for annotation in annotations
    )


def _require(entry: Any, keys: tuple[str, ...], place: str) -> None:
    if not isinstance(entry, dict):
        problem = f"is a {type(entry).__name__}, not an object"
        raise UserInputError(f"{place}: {problem}; {FORMAT_HINT}")
    for key in keys:
        if entry.get(key) is None:
            raise UserInputError(f"{place}.{key}: missing key; {FORMAT_HINT}")


def _entries_by_id(
    name: str, content: dict[str, Any], kind: str, keys: tuple[str, ...], wanted: str
) -> dict[Any, dict]:
    """Check keys, ids and names of the videos or the categories."""
    if not content[kind]:
        raise UserInputError(f"{name}: {kind}: empty list; the file must list {wanted}")
    entries: dict[Any, dict] = {}
    first_with: dict[tuple[str, str], int] = {}
    for index, entry in enumerate(content[kind]):
        place = f"{name}: {kind}[{index}]"
        _require(entry, keys, place)
        identifier = entry["id"]
        if type(identifier) not in (int, str):
            raise UserInputError(
                f"{place}.id: {short_repr(identifier)} is no id; expected an integer"
            )
        before = next(iter(entries), identifier)
        if type(identifier) is not type(before):
            raise UserInputError(
                f"{place}.id: {identifier!r} is not of the type of {before!r}, the id of {kind}[0];"
                " give all of them integers, here and where they are used"
            )
        for key in ("id", "name"):
            first = first_with.setdefault((key, str(entry[key])), index) if key in keys else index
            if first != index:
                raise UserInputError(
                    f"{place}.{key}: {short_repr(entry[key])} is already the {key} of"
                    f" {kind}[{first}]; give each of the {kind} its own {key}"
                )
        entries[identifier] = entry
    return entries


def _check_video(place: str, video: dict, need_frames: bool) -> None:
    for key in ("width", "height"):
        if type(video[key]) is not int or video[key] < 1:
            problem = f"{short_repr(video[key])} is not a size in pixels"
            raise UserInputError(f"{place}.{key}: {problem}; expected a positive integer")
    width, height = video["width"], video["height"]
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise UserInputError(
            f"{place}.width, height: frames of {width}x{height} are too large; expected at most"
            f" {MAX_SIDE} pixels a side and {MAX_PIXELS} in all"
        )
    length = video.get("length")
    if not need_frames and video.get("file_names") is None and type(length) is int and length > 0:
        video["file_names"] = []
        return
    _require(video, ("file_names",), place)
    frames = video["file_names"]
    if not (frames and isinstance(frames, list) and all(isinstance(name, str) for name in frames)):
        problem = "must be a non-empty list of frame paths"
        raise UserInputError(f"{place}.file_names: {problem}; {FORMAT_HINT}")
    length = video.setdefault("length", len(frames))
    if type(length) is not int or length != len(frames):
        problem = f"lists {len(frames)} frames but length is {short_repr(length)}"
        raise UserInputError(f"{place}.file_names: {problem}; the two must agree")


def _check_annotation(place: str, annotation: dict, video: dict) -> None:
    """Check the per-frame lists of one annotation; encode its masks and fill boxes in place."""
    for key in ("segmentations", "bboxes", "areas"):
        entries = annotation.get(key)
        if entries is not None and not isinstance(entries, list):
            problem = f"is a {type(entries).__name__}, not a list"
            raise UserInputError(f"{place}.{key}: {problem}; expected one entry per frame")
        if entries is not None and len(entries) != video["length"]:
            raise UserInputError(
                f"{place}.{key}: has {len(entries)} entries but video {video['id']} has"
                f" {video['length']} frames; expected one entry per frame, null where the object"
                " is absent"
            )
    if annotation.get("iscrowd") not in (None, 0, 1):
        raise UserInputError(
            f"{place}.iscrowd: {short_repr(annotation['iscrowd'])} is no flag; expected 0 or 1"
        )
    segmentations = annotation["segmentations"]
    size = (video["height"], video["width"])
    for frame, segmentation in enumerate(segmentations):
        try:
            segmentations[frame] = _compressed(segmentation, *size) if segmentation else None
        except (TypeError, ValueError) as error:
            raise UserInputError(
                f"{place}.segmentations[{frame}]: {error}; correct the mask or the size of video"
                f" {video['id']}"
            ) from error
    annotation["bboxes"] = annotation.get("bboxes") or [None] * video["length"]
    limit = coordinate_limit(*size)
    for frame, box in enumerate(annotation["bboxes"]):
        if box and not _is_box(box, limit):
            raise UserInputError(
                f"{place}.bboxes[{frame}]: {short_repr(box)} is no box; expected [x, y, width,"
                f" height], pixels from {-limit} to {limit} in frames of {size[1]}x{size[0]}"
            )
    for frame, area in enumerate(annotation.get("areas") or ()):
        is_number = isinstance(area, NUMBERS) and not isinstance(area, bool)
        if area is not None and not (is_number and 0 <= area <= MAX_PIXELS):
            raise UserInputError(
                f"{place}.areas[{frame}]: {short_repr(area)} is no number of pixels; correct it, or"
                " leave out areas to have them measured"
            )


def _compressed(segmentation: Any, height: int, width: int) -> dict[str, Any]:
    if (
        isinstance(segmentation, dict)
        and isinstance(segmentation.get("counts"), str)
        and segmentation.get("size") == [height, width]
    ):
        return segmentation  # whose counts are checked when they are decoded
    return encode_segmentation(segmentation, height, width)


def _is_box(box: Any, limit: int) -> bool:
    is_list = isinstance(box, list) and len(box) == 4
    # NaN is not within the limit.
    return is_list and all(isinstance(n, NUMBERS) and -limit <= n <= limit for n in box)
