"""AP by the number of frames of the videos."""

import sys

from mmttsrn.evaluation.result import Evaluation
from mmttsrn.formats.ground_truth import Video

LENGTH_RANGES = {
    "1-16": range(1, 17),
    "17-32": range(17, 33),
    "33-64": range(33, 65),
    "65+": range(65, sys.maxsize),
}
_LONG_NAMES = {True: "long", False: "short", None: "not marked"}


def length_stats(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """Numbers of the videos in each range of frames that holds any, by the name of the range.

    Returns:
        AP, AP at 0.50, AR, number of sequences and of videos.
    """
    videos = evaluation.truth.videos.values()
    parts = {
        name: [video for video in videos if video.length in lengths]
        for name, lengths in LENGTH_RANGES.items()
    }
    return _part_stats(evaluation, parts)


def long_video_stats(evaluation: Evaluation) -> dict[str, dict[str, float]]:
    """Return the same for the short and the long videos of YouTube-VIS 2022.

    Returns:
        Nothing where the file does not mark long videos. Videos without a mark in a file that has
        such marks are a part of their own.
    """
    videos = evaluation.truth.videos.values()
    if all(video.is_long is None for video in videos):
        return {}
    parts = {
        name: [video for video in videos if video.is_long is is_long]
        for is_long, name in _LONG_NAMES.items()
    }
    return _part_stats(evaluation, parts)


def _part_stats(
    evaluation: Evaluation, parts: dict[str, list[Video]]
) -> dict[str, dict[str, float]]:
    return {
        name: evaluation.subset_stats([v.id for v in videos]) | {"num_videos": len(videos)}
        for name, videos in parts.items()
        if videos
    }
