"""Results of the official YouTube-VIS format: read, checked and written."""

import json
import os
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any

from mmttsrn.errors import UserInputError
from mmttsrn.formats.encoded_masks import Counts, EncodedMasks, pack_masks
from mmttsrn.formats.ground_truth import GroundTruth, Video
from mmttsrn.formats.json_stream import read_json, refuse_deep_nesting
from mmttsrn.formats.output_files import partial_file, replace_file
from mmttsrn.formats.rle import encode_segmentation
from mmttsrn.formats.youtube_vis_json import is_known_id

KEYS = ("video_id", "category_id", "score", "segmentations")
NAME_IN_ZIP = "results.json"
FORMAT_HINT = f"expected a list of {{{', '.join(KEYS)}}}"


@dataclass(slots=True)
class PredictedSequence:
    """A predicted sequence.

    Attributes:
        category_id: Its category.
        counts: Compressed RLE counts of its T frames, which are not checked; None where it has no
            mask.
        score: Its confidence.
        id: Its id in the video; its place among the video's sequences, from 1, where the file
            gives none.
        source: Its place in the file, for messages.
    """

    category_id: int
    counts: Counts
    score: float
    id: int
    source: str = ""


# Predicted sequences by video id, in the order of the file.
Results = dict[int, list[PredictedSequence]]


def read_results(
    source: str | os.PathLike | list[dict[str, Any]] | dict[str, Any], truth: GroundTruth
) -> Results:
    """Read and check results.

    Compressed counts are checked when they are decoded.

    Args:
        source: A results json or its content, which is not changed: the official list, or an
            object like ground truth whose ``annotations`` have a ``score``, as
            ``tools/inference.py`` writes it.
        truth: The videos and categories that they belong to.

    Raises:
        UserInputError: They are broken, or belong to other videos or categories; the message names
            file, entry and field.
    """
    name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else "results"
    with refuse_deep_nesting(name):
        return _read_results(source, name, truth)


def _read_results(
    source: str | os.PathLike | list[dict[str, Any]] | dict[str, Any],
    name: str,
    truth: GroundTruth,
) -> Results:
    entries: Any = source
    if isinstance(source, (str, os.PathLike)):
        entries = read_json(source, _small_entry)
    place = f"{name}: entry {{}}: "
    if isinstance(entries, dict) and "annotations" in entries:
        _check_category_names(name, entries, truth)
        entries, place = entries["annotations"], f"{name}: annotations[{{}}]."
    results: Results = {}
    for index, entry in enumerate(checked_list(name, entries)):
        entry, source_of_entry = _small_entry(entry), place.format(index)
        problem = next(entry_problems(entry, truth), None)
        if problem is not None:
            raise UserInputError(f"{source_of_entry}{problem}")
        video = truth.videos[entry["video_id"]]
        sequences = results.setdefault(video.id, [])
        identity = entry.get("id")
        sequence = PredictedSequence(
            entry["category_id"],
            _counts(entry["segmentations"], video),
            float(entry["score"]),
            identity if type(identity) is int else len(sequences) + 1,
            source_of_entry,
        )
        sequences.append(sequence)
    return results


def _check_category_names(name: str, content: dict[str, Any], truth: GroundTruth) -> None:
    """Refuse ids that mean another class in the results than in the ground truth."""
    for index, category in enumerate(content.get("categories", [])):
        expected = truth.categories.get(category["id"])
        if expected not in (None, category["name"]):
            raise UserInputError(
                f"{name}: categories[{index}].name: expected {expected!r}, the class with this id"
                f" in {truth.name}, got {category['name']!r}"
            )


def checked_list(name: str, entries: Any) -> list[Any]:
    """Return the entries of results; raise UserInputError if they are no list."""
    if not isinstance(entries, list):
        raise UserInputError(f"{name}: top level: is a {type(entries).__name__}; {FORMAT_HINT}")
    return entries


def _small_entry(entry: Any) -> Any:
    if not isinstance(entry, dict) or "segmentations" not in entry:
        return entry
    return {**entry, "segmentations": pack_masks(entry["segmentations"])}


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
    if not is_finite_number(entry["score"]):
        yield f"score: {short_repr(entry['score'])} is no finite number"
    for key, known in (("category_id", truth.categories), ("video_id", truth.videos)):
        identifier = entry[key]
        if not is_known_id(identifier, known):
            yield (
                f"{key}: {short_repr(identifier)} is not in {truth.name}, which has ids such as"
                f" {next(iter(known))!r}; correct it, or take the file that these results belong to"
            )
            if key == "video_id":
                return
    yield from _mask_problems(entry["segmentations"], truth.videos[entry["video_id"]])


def is_finite_number(value: Any) -> bool:
    """Whether a value is a number, other than NaN and infinity."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and abs(value) <= sys.float_info.max


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
                f"segmentations[{frame}]: RLE size is {short_repr(masks.size)}, expected [height,"
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


def write_results(entries: list[dict[str, Any]], prefix: Path) -> None:
    """Write ``<prefix>.json`` and ``<prefix>.zip``, the file to submit, each at once."""
    text = json.dumps(entries)
    path = prefix.with_name(f"{prefix.name}.json")
    replace_file(path, lambda partial: partial.write_text(text))
    zip_results(path, prefix.with_name(f"{prefix.name}.zip"))


def zip_results(results: str | os.PathLike, path: Path) -> None:
    """Write a results json to the zip file that evaluation servers take, at once."""
    # Zip files know no date before 1980; such a date of the json is no reason to fail.
    with (
        partial_file(path) as partial,
        zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive,
    ):
        archive.write(results, NAME_IN_ZIP)
