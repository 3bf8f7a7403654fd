"""Check of results before they are sent to an evaluation server.

The check is stricter than an evaluation here: a server refuses polygons and uncompressed masks, and
a score is a probability.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from mmttsrn.errors import UserInputError
from mmttsrn.formats.encoded_masks import Counts
from mmttsrn.formats.ground_truth import GroundTruth
from mmttsrn.formats.intervals import RunLengthError, decode_intervals
from mmttsrn.formats.json_stream import read_json
from mmttsrn.formats.results import checked_list, result_counts
from mmttsrn.formats.youtube_vis_json import ResultEntry, entry_as, small_entry

_EXPECTED_MASK = "expected {size, counts} with compressed counts, a string, or null"


@dataclass(frozen=True)
class SubmissionCheck:
    """What is in a results file.

    Attributes:
        num_entries: Its entries.
        video_ids: The videos that they belong to.
        problems: What is wrong, each as one line that names entry and field.
    """

    num_entries: int
    video_ids: frozenset[int]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _CheckedEntry:
    """What is kept of an entry: its problems, or what tells it from others."""

    problems: tuple[str, ...]
    video_id: int | None = None
    digest: bytes = b""


def check_submission(results: str | os.PathLike, truth: GroundTruth) -> SubmissionCheck:
    """Find all problems of a results file, with the masks of one entry in memory at a time.

    Args:
        results: The results json.
        truth: The videos and categories that it belongs to; ground truth is not needed.

    Raises:
        UserInputError: It cannot be read, is no json or no list.
    """
    entries = read_json(results, lambda entry: _check_entry(entry, truth))
    problems: list[str] = []
    first_with: dict[bytes, int] = {}
    video_ids = set()
    for index, entry in enumerate(checked_list(os.fspath(results), entries)):
        if not isinstance(entry, _CheckedEntry):
            entry = _check_entry(entry, truth)
        problems += [f"entry {index}: {problem}" for problem in entry.problems]
        if entry.video_id is None:
            continue
        video_ids.add(entry.video_id)
        first = first_with.setdefault(entry.digest, index)
        if first != index:
            problems.append(f"entry {index}: all fields: identical to entry {first}; remove it")
    return SubmissionCheck(len(entries), frozenset(video_ids), tuple(problems))


def _check_entry(entry: Any, truth: GroundTruth) -> _CheckedEntry:
    problems: list[str] = []
    frames = entry.get("segmentations") if isinstance(entry, dict) else None
    if isinstance(frames, list):
        forms = [_form_problem(segmentation) for segmentation in frames]
        problems += [f"segmentations[{frame}]: {form}" for frame, form in enumerate(forms) if form]
        # What has the wrong form is reported as that only.
        kept = [
            None if mask is None or form else {"size": mask["size"], "counts": mask["counts"]}
            for form, mask in zip(forms, frames, strict=True)
        ]
        entry = {**entry, "segmentations": kept}
    try:
        result = entry_as(ResultEntry, small_entry(entry), "")
    except UserInputError as error:
        return _CheckedEntry(tuple(_grouped([str(error).removeprefix(": "), *problems])))
    if result.score < 0 or result.score > 1:
        problems.insert(0, f"score: expected 0 to 1, got {result.score:g}")
    found: list[str] = []
    counts = result_counts(result, truth, found.append)
    if not found:
        found += _decoding_problems(result, counts, truth)
    if found and isinstance(frames, list):  # one by one, the problem of each mask is found
        found.clear()
        result_counts(msgspec.structs.replace(result, segmentations=kept), truth, found.append)
    problems = [*found, *problems]
    if problems:
        return _CheckedEntry(tuple(_grouped(problems)))
    content = [result.video_id, result.category_id, result.score, counts]
    digest = hashlib.blake2b(msgspec.json.encode(content), digest_size=16).digest()
    return _CheckedEntry((), result.video_id, digest)


def _decoding_problems(result: ResultEntry, counts: Counts, truth: GroundTruth) -> list[str]:
    video = truth.videos[result.video_id]
    try:
        decode_intervals([counts], len(counts), video.height * video.width)
    except RunLengthError as error:
        return [f"segmentations[{error.frame}]: {error.problem}"]
    return []


def _form_problem(segmentation: Any) -> str | None:
    if segmentation is None:
        return None
    if not isinstance(segmentation, dict) or not {"size", "counts"} <= segmentation.keys():
        return f"is not an RLE, {_EXPECTED_MASK}"
    if not isinstance(segmentation["counts"], str):
        kind = type(segmentation["counts"]).__name__
        return f"counts is a {kind}, which servers refuse; {_EXPECTED_MASK}"
    return None


def _grouped(problems: Sequence[str]) -> Iterator[str]:
    """Join the same problem of several frames to one line."""
    frames: dict[str, list[int]] = {}
    for problem in problems:
        field, _, text = problem.partition(": ")
        if field.startswith("segmentations["):
            frame = field.removeprefix("segmentations[").removesuffix("]")
            frames.setdefault(text, []).append(int(frame))
        else:
            yield problem
    for text, indices in sorted(frames.items(), key=lambda item: item[1]):
        yield f"segmentations[{_ranges(indices)}]: {text}"


def _ranges(indices: Sequence[int]) -> str:
    """Rising numbers as text, e.g. ``0-3, 7``."""
    parts: list[list[int]] = []
    for index in indices:
        if parts and index == parts[-1][1] + 1:
            parts[-1][1] = index
        else:
            parts.append([index, index])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)
