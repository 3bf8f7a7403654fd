"""AP by the number of frames of the videos."""

from collections.abc import Sequence

from mmttsrn.evaluation.result import Evaluation
from mmttsrn.formats.ground_truth import Video

# Lowest and highest number of frames, both included; None for any number above.
LENGTH_BINS: tuple[tuple[int, int | None], ...] = ((1, 16), (17, 32), (33, 64), (65, None))
_LONG_NAMES = {True: "long", False: "short", None: "not marked"}


def length_stats(
    evaluation: Evaluation, bins: Sequence[tuple[int, int | None]] = LENGTH_BINS
) -> dict[str, dict[str, float]]:
    """Numbers of the videos in each range of frames, by the name of the range.

    Args:
        evaluation: What is looked into.
        bins: Ranges of frames. One that holds no video is left out.

    Returns:
        AP, AP at 0.50, AR, number of sequences and of videos.
    """
    parts = {
        bin_name(low, high): [
            video
            for video in evaluation.truth.videos.values()
            if low <= video.length and (high is None or video.length <= high)
        ]
        for low, high in bins
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


def bin_name(low: int, high: int | None) -> str:
    """Return what a range of frames is called, e.g. ``17-32`` or ``65+``."""
    return f"{low}+" if high is None else f"{low}-{high}"


def _part_stats(
    evaluation: Evaluation, parts: dict[str, list[Video]]
) -> dict[str, dict[str, float]]:
    return {
        name: {
            **evaluation.subset_stats([video.id for video in videos]),
            "num_videos": len(videos),
        }
        for name, videos in parts.items()
        if videos
    }
