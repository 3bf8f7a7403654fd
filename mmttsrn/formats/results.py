"""Results of the official YouTube-VIS format: read, checked and written."""

import json
import math
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmttsrn.errors import UserInputError, input_errors
from mmttsrn.formats.encoded_masks import mask_counts
from mmttsrn.formats.ground_truth import EncodedSequence, GroundTruth
from mmttsrn.formats.output_files import partial_file, replace_file
from mmttsrn.formats.youtube_vis_json import (
    CategoryEntry,
    ResultEntry,
    entries_as,
    entry_as,
    known_video,
    read_content,
    taken,
)

NAME_IN_ZIP = "results.json"
OFFICIAL_KEYS = ("video_id", "category_id", "score", "segmentations")


@dataclass(slots=True)
class PredictedSequence(EncodedSequence):
    """A predicted sequence with its confidence; compressed counts are checked when decoded."""

    score: float


# Predicted sequences by video id, in the order of the file.
Results = dict[int, list[PredictedSequence]]


def read_results(
    source: str | os.PathLike | list[dict[str, Any]] | dict[str, Any], truth: GroundTruth
) -> Results:
    """Read and check results.

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
    results: Results = {}
    with input_errors(name):
        entries, place = read_content(source), "entry {}: "
        if isinstance(entries, dict) and "annotations" in entries:
            _check_category_names(name, entries, truth)
            entries, place = entries["annotations"], "annotations[{}]."
        if not isinstance(entries, list):
            kind = type(entries).__name__
            raise UserInputError(f"{name}: expected a list of results, got a {kind}")
        for index, content in taken(entries):
            where = f"{name}: {place.format(index)}"
            entry = entry_as(ResultEntry, content, where)
            if not math.isfinite(entry.score):
                raise UserInputError(f"{where}score: expected a finite number, got {entry.score}")
            video = known_video(entry, truth.videos, truth.categories, truth.name, where)
            sequences = results.setdefault(video.id, [])
            sequences.append(
                PredictedSequence(
                    entry.category_id,
                    mask_counts(entry.segmentations, video.length, video.size, where),
                    entry.id if type(entry.id) is int else len(sequences) + 1,
                    where,
                    entry.score,
                )
            )
    return results


def _check_category_names(name: str, content: dict[str, Any], truth: GroundTruth) -> None:
    """Refuse ids that mean another class in the results than in the ground truth."""
    for index, category in entries_as(CategoryEntry, content, "categories", name):
        expected = truth.categories.get(category.id)
        if expected not in (None, str(category.name)):
            wanted = f"{expected!r}, the class with this id in {truth.name}"
            place = f"{name}: categories[{index}].name"
            raise UserInputError(f"{place}: expected {wanted}, got {category.name!r}")


def write_results(entries: list[dict[str, Any]], prefix: Path) -> None:
    """Write ``<prefix>.json`` and ``<prefix>.zip``, the file to submit, each at once."""
    text = json.dumps(entries)
    path = prefix.with_name(f"{prefix.name}.json")
    replace_file(path, lambda partial: partial.write_text(text))
    zip_results(entries, prefix.with_name(f"{prefix.name}.zip"))


def zip_results(entries: list[dict[str, Any]], path: Path) -> None:
    """Write the zip file that evaluation servers take, at once: the official fields alone."""
    text = json.dumps([{key: entry[key] for key in OFFICIAL_KEYS} for entry in entries])
    with partial_file(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        archive.writestr(NAME_IN_ZIP, text, zipfile.ZIP_DEFLATED)
