"""Results of the official YouTube-VIS format, checked, in the form that is evaluated."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any

from ...errors import UserInputError
from ...formats.encoded_masks import EncodedMasks, encode_masks
from ...formats.json_stream import read_json
from ...formats.rle import encode_segmentation
from .tracks import Counts, Detection, GroundTruth, Results, Video

KEYS = ("video_id", "category_id", "score", "segmentations")
MAX_SHOWN = 40  # characters of a wrong value
FORMAT_HINT = f"expected a list of {{{', '.join(KEYS)}}}"


def load_results(source: str | os.PathLike | list[dict[str, Any]], truth: GroundTruth) -> Results:
    """Read and check results; see :func:`~.evaluate.evaluate_ytvis`.

    Compressed counts are checked when they are decoded.

    Args:
        source: A results json or its content, which is not changed.
        truth: The videos and categories that they belong to.

    Raises:
        UserInputError: They are broken, or belong to other videos or categories; the message names
            file, entry and field.
    """
    name, entries = read_entries(source)
    results: Results = {}
    for index, entry in enumerate(entries):
        problem = next(entry_problems(entry, truth), None)
        if problem is not None:
            raise UserInputError(f"{name}: entry {index}: {problem}")
        video = truth.videos[entry["video_id"]]
        detection = Detection(
            entry["category_id"],
            _counts(entry["segmentations"], video),
            float(entry["score"]),
            f"{name}: entry {index}: ",
        )
        results.setdefault(video.id, []).append(detection)
    return results


def read_entries(source: Any) -> tuple[str, list[Any]]:
    """Read results without checking their entries.

    Returns:
        What they are called in messages, and the entries with their masks in the small form.
    """
    if isinstance(source, (str, os.PathLike)):
        name, entries = os.fspath(source), read_json(source, _small_entry)
    else:
        name, entries = "results", source
        if isinstance(entries, list):
            entries = [_small_entry(entry) for entry in entries]
    if not isinstance(entries, list):
        raise UserInputError(f"{name}: top level: is a {type(entries).__name__}; {FORMAT_HINT}")
    return name, entries


def _small_entry(entry: Any) -> Any:
    if not isinstance(entry, dict) or "segmentations" not in entry:
        return entry
    return {**entry, "segmentations": encode_masks(entry["segmentations"])}


def entry_problems(entry: Any, truth: GroundTruth) -> Iterator[str]:
    """Check one entry of a results file.

    Args:
        entry: The entry, with its masks as in the file or in the small form, in which compressed
            counts are not checked.
        truth: The videos and categories that it belongs to.

    Yields:
        Field and what is wrong with it, one problem at a time.
    """
    if not isinstance(entry, dict):
        yield f"is a {type(entry).__name__}; {FORMAT_HINT}"
        return
    missing = [key for key in KEYS if key not in entry]
    if missing:
        yield from (f"{key}: missing key; {FORMAT_HINT}" for key in missing)
        return
    score = entry["score"]
    if isinstance(score, bool) or not isinstance(score, (int, float)) or not _is_finite(score):
        yield f"score: {score!r} is no finite number"
    for key, known in (("category_id", truth.categories), ("video_id", truth.videos)):
        if isinstance(entry[key], bool) or not _is_known(entry[key], known):
            yield (
                f"{key}: {_short(entry[key])} is not in {truth.name}; correct it, or take the file"
                " that these results belong to"
            )
            if key == "video_id":
                return
    yield from _mask_problems(entry["segmentations"], truth.videos[entry["video_id"]])


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer that is too large
        return False


def _is_known(identifier: Any, known: dict[int, Any]) -> bool:
    return isinstance(identifier, (int, str)) and identifier in known


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _mask_problems(masks: Any, video: Video) -> Iterator[str]:
    frames = masks.counts if isinstance(masks, EncodedMasks) else masks
    if not isinstance(frames, list):
        yield f"segmentations: is a {type(frames).__name__}, expected a list"
        return
    if len(frames) != video.length:
        yield (
            f"segmentations: has {len(frames)} entries, expected one per frame of video"
            f" {video.id}, {video.length}"
        )
    if isinstance(masks, EncodedMasks):
        if masks.size not in (None, [video.height, video.width]):
            frame = next(index for index, text in enumerate(frames) if text is not None)
            yield (
                f"segmentations[{frame}]: RLE size is {_short(masks.size)}, expected [height,"
                f" width] of video {video.id}, [{video.height}, {video.width}]"
            )
        return
    for frame, segmentation in enumerate(frames):
        try:
            if segmentation:
                encode_segmentation(segmentation, video.height, video.width)
        except (TypeError, ValueError) as error:
            yield f"segmentations[{frame}]: {error}"


def _counts(masks: Any, video: Video) -> Counts:
    if isinstance(masks, EncodedMasks):
        return masks.counts
    return [
        None
        if not segmentation
        else encode_segmentation(segmentation, video.height, video.width)["counts"]
        for segmentation in masks
    ]
