"""Evaluation with all classes taken as one."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from mmttsrn.formats.ground_truth import EncodedSequence, GroundTruth, str_or_int
from mmttsrn.formats.results import Results

MERGED_NAME = "object"

Sequence = TypeVar("Sequence", bound=EncodedSequence)


def merge_classes(truth: GroundTruth) -> GroundTruth:
    """Return ground truth whose sequences all belong to one category, named ``object``.

    Its id is the lowest one of the categories, so that it is an id of the file.
    """
    merged_id = next(iter(truth.categories))
    videos = {
        video_id: replace(video, sequences=_merged(video.sequences, merged_id))
        for video_id, video in truth.videos.items()
    }
    return replace(truth, videos=videos, categories={merged_id: MERGED_NAME})


def merge_result_classes(results: Results, truth: GroundTruth) -> Results:
    """Return results whose sequences all belong to the category of :func:`merge_classes`."""
    merged_id = next(iter(truth.categories))
    return {video_id: _merged(found, merged_id) for video_id, found in results.items()}


def _merged(sequences: Iterable[Sequence], category_id: int) -> list[Sequence]:
    """Give all sequences one category.

    COCO's ``useCats=0`` lists them class by class, which decides among equal scores and IoUs.
    """
    ordered = sorted(sequences, key=lambda sequence: str_or_int(sequence.category_id))
    return [replace(sequence, category_id=category_id) for sequence in ordered]
