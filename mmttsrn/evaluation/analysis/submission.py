"""Results in the form that evaluation servers take."""

import os
from typing import Any

from mmttsrn.errors import UserInputError
from mmttsrn.formats.ground_truth import GroundTruth, decode_masks
from mmttsrn.formats.results import read_results


def submission_entries(
    results: str | os.PathLike | list[dict[str, Any]], truth: GroundTruth
) -> list[dict[str, Any]]:
    """Read results, and give them with the four fields and the compressed masks of the format.

    The check is stricter than that of an evaluation here: a score is a probability, and no entry
    comes twice.

    Args:
        results: See :func:`~mmttsrn.formats.results.read_results`.
        truth: The videos and categories that they belong to; ground truth is not needed.

    Raises:
        UserInputError: They are broken; the message names file, entry and field.
    """
    entries: list[dict[str, Any]] = []
    first_with: dict[tuple, str] = {}
    for video_id, sequences in read_results(results, truth).items():
        video = truth.videos[video_id]
        decode_masks(video, sequences)
        size = [video.height, video.width]
        for sequence in sequences:
            if not 0 <= sequence.score <= 1:
                got = f"got {sequence.score:g}"
                raise UserInputError(f"{sequence.source}score: expected 0 to 1, {got}")
            content = (video_id, sequence.category_id, sequence.score, *sequence.counts)
            first = first_with.setdefault(content, sequence.source)
            if first != sequence.source:
                raise UserInputError(f"{sequence.source}all fields are those of {first}remove one")
            entries.append(
                {
                    "video_id": video_id,
                    "category_id": sequence.category_id,
                    "score": sequence.score,
                    "segmentations": [
                        text and {"size": size, "counts": text} for text in sequence.counts
                    ],
                }
            )
    return entries
