"""Checks of annotation files in the official YouTube-VIS format."""

from typing import Any, NoReturn

from mmttsrn.errors import UserInputError
from mmttsrn.formats.rle import encode_segmentation

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
        _fail(name, "top level", f"is a {type(content).__name__}, not an object", FORMAT_HINT)
    for key in ("videos", "categories"):
        if not isinstance(content.get(key), list):
            _fail(name, key, "missing or not a list", FORMAT_HINT)
    _check_videos(name, content["videos"], need_frames)
    _check_categories(name, content["categories"])
    if not _has_ground_truth(content):
        if need_annotations:
            _fail(
                name,
                "annotations",
                "missing, empty or without segmentations",
                "train on a split that is annotated",
            )
        content["annotations"] = []
    _check_annotations(name, content)


def _has_ground_truth(content: dict[str, Any]) -> bool:
    """Whether a YouTube-VIS json holds any segmentation."""
    annotations = content.get("annotations")
    return isinstance(annotations, list) and any(
        isinstance(annotation, dict) and annotation.get("segmentations")
        for annotation in annotations
    )


def _fail(name: str, field: str, problem: str, remedy: str) -> NoReturn:
    raise UserInputError(f"{name}: {field}: {problem}; {remedy}")


def _require(name: str, entry: Any, keys: tuple[str, ...], field: str) -> None:
    if not isinstance(entry, dict):
        _fail(name, field, f"is a {type(entry).__name__}, not an object", FORMAT_HINT)
    for key in keys:
        if entry.get(key) is None:
            _fail(name, f"{field}.{key}", "missing key", FORMAT_HINT)


def _check_unique_id(name: str, entry: dict, seen: dict, kind: str, index: int) -> None:
    if isinstance(entry["id"], bool) or not isinstance(entry["id"], (int, str)):
        problem = f"{entry['id']!r} is no id"
        _fail(name, f"{kind}[{index}].id", problem, "expected an integer")
    if entry["id"] in seen:
        _fail(
            name,
            f"{kind}[{index}].id",
            f"{entry['id']} is already the id of {kind}[{seen[entry['id']]}]",
            f"give each of the {kind} an id of its own",
        )
    seen[entry["id"]] = index


def _check_videos(name: str, videos: list, need_frames: bool) -> None:
    if not videos:
        _fail(name, "videos", "empty list", "the file must list at least one video")
    seen: dict[Any, int] = {}
    for index, video in enumerate(videos):
        field = f"videos[{index}]"
        _require(name, video, ("id", "width", "height"), field)
        _check_unique_id(name, video, seen, "videos", index)
        for key in ("width", "height"):
            if type(video[key]) is not int or video[key] < 1:
                problem = f"{video[key]!r} is not a size in pixels"
                _fail(name, f"{field}.{key}", problem, "expected a positive integer")
        _check_frames(name, video, field, need_frames)


def _check_frames(name: str, video: dict, field: str, need_frames: bool) -> None:
    length = video.get("length")
    if not need_frames and video.get("file_names") is None and type(length) is int and length > 0:
        video["file_names"] = []
        return
    _require(name, video, ("file_names",), field)
    frames = video["file_names"]
    if (
        not frames
        or not isinstance(frames, list)
        or not all(isinstance(frame, str) for frame in frames)
    ):
        problem = "must be a non-empty list of frame paths"
        _fail(name, f"{field}.file_names", problem, FORMAT_HINT)
    length = video.setdefault("length", len(frames))
    if type(length) is not int or length != len(frames):
        _fail(
            name,
            f"{field}.file_names",
            f"lists {len(frames)} frames but length is {length}",
            "the two must agree",
        )


def _check_categories(name: str, categories: list) -> None:
    if not categories:
        _fail(name, "categories", "empty list", "the file must list its classes")
    seen: dict[Any, int] = {}
    for index, category in enumerate(categories):
        _require(name, category, ("id", "name"), f"categories[{index}]")
        _check_unique_id(name, category, seen, "categories", index)


def _check_annotations(name: str, content: dict[str, Any]) -> None:
    videos = {video["id"]: video for video in content["videos"]}
    category_ids = {category["id"] for category in content["categories"]}
    for index, annotation in enumerate(content["annotations"]):
        field = f"annotations[{index}]"
        _require(name, annotation, ("video_id", "category_id", "segmentations"), field)
        for key, known, where in (
            ("video_id", videos, "videos"),
            ("category_id", category_ids, "categories"),
        ):
            if not isinstance(annotation[key], (int, str)) or annotation[key] not in known:
                problem = f"{annotation[key]!r} is not an id in '{where}'"
                _fail(name, f"{field}.{key}", problem, f"add it to '{where}' or correct it")
        _check_annotation(name, annotation, videos[annotation["video_id"]], field)


def _check_annotation(name: str, annotation: dict, video: dict, field: str) -> None:
    """Check the per-frame lists of one annotation; encode its masks and fill boxes in place."""
    for key in ("segmentations", "bboxes", "areas"):
        entries = annotation.get(key)
        if entries is not None and not isinstance(entries, list):
            problem = f"is a {type(entries).__name__}, not a list"
            _fail(name, f"{field}.{key}", problem, "expected one entry per frame")
        if entries is not None and len(entries) != video["length"]:
            problem = f"has {len(entries)} entries but video {video['id']} has {video['length']}"
            remedy = "expected one entry per frame, null where the object is absent"
            _fail(name, f"{field}.{key}", f"{problem} frames", remedy)
    segmentations = annotation["segmentations"]
    size = (video["height"], video["width"])
    for frame, segmentation in enumerate(segmentations):
        try:
            segmentations[frame] = _compressed(segmentation, *size) if segmentation else None
        except (TypeError, ValueError) as error:
            remedy = f"correct the mask or the size of video {video['id']}"
            _fail(name, f"{field}.segmentations[{frame}]", str(error), remedy)
    annotation["bboxes"] = annotation.get("bboxes") or [None] * video["length"]
    for frame, box in enumerate(annotation["bboxes"]):
        if box and not _is_box(box):
            problem = f"{box!r} is no box"
            _fail(name, f"{field}.bboxes[{frame}]", problem, "expected [x, y, width, height]")


def _compressed(segmentation: Any, height: int, width: int) -> dict[str, Any]:
    if (
        isinstance(segmentation, dict)
        and isinstance(segmentation.get("counts"), str)
        and segmentation.get("size") == [height, width]
    ):
        return segmentation  # whose counts are checked when they are decoded
    return encode_segmentation(segmentation, height, width)


def _is_box(box: Any) -> bool:
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(isinstance(number, (int, float)) for number in box)
    )
