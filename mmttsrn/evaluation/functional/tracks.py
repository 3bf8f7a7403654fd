"""What is evaluated: the videos, ground-truth sequences and detections of two files."""

from __future__ import annotations

from dataclasses import dataclass, field

Counts = list[str | None]


@dataclass(slots=True)
class TruthTrack:
    """A ground-truth sequence.

    Attributes:
        category_id: Its category.
        counts: Compressed RLE counts of its T frames; None where it has no mask.
        is_crowd: Whether it is ignored: it need not be found, and may be found several times.
        mean_area: Mean of the file's areas that are neither null nor 0, else 0.
        occlusion: Mean occlusion of its visible frames, 0 to 1; None where the file does not tell.
        source: Its place in the file, for messages.
    """

    category_id: int
    counts: Counts
    is_crowd: bool
    mean_area: float
    occlusion: float | None = None
    source: str = ""


@dataclass(slots=True)
class Detection:
    """A predicted sequence.

    Attributes:
        category_id: Its category.
        counts: Compressed RLE counts of its T frames; None where it has no mask.
        score: Its confidence.
        source: Its place in the file, for messages.
    """

    category_id: int
    counts: Counts
    score: float
    source: str = ""


@dataclass(slots=True)
class Video:
    """A video with its ground truth.

    Attributes:
        id: Id of the file.
        height: H of the frames.
        width: W of the frames.
        length: Number of frames T.
        is_long: Whether it belongs to the long videos of YouTube-VIS 2022; None where the file
            does not tell.
        truths: Its ground-truth sequences, in the order of the file.
    """

    id: int
    height: int
    width: int
    length: int
    is_long: bool | None = None
    truths: list[TruthTrack] = field(default_factory=list)


@dataclass(slots=True)
class GroundTruth:
    """The ground truth of a split.

    Attributes:
        name: Its file, for messages.
        videos: Its videos by id, in rising order.
        categories: Category names by id, in rising order.
    """

    name: str
    videos: dict[int, Video]
    categories: dict[int, str]

    @property
    def has_tracks(self) -> bool:
        """Whether there is any ground truth."""
        return any(video.truths for video in self.videos.values())


# Detections by video id, in the order of the file.
Results = dict[int, list[Detection]]
