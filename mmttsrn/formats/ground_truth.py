"""Ground truth of the official YouTube-VIS format: what a file holds, read and checked."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from reprlib import repr as short_repr
from typing import Any

from msgspec import UNSET

from mmttsrn.errors import UserInputError, input_errors
from mmttsrn.formats.encoded_masks import Counts, mask_counts
from mmttsrn.formats.intervals import MaskIntervals, RunLengthError, decode_intervals
from mmttsrn.formats.rle import coordinate_limit
from mmttsrn.formats.youtube_vis_json import (
    MAX_PIXELS,
    AnnotationEntry,
    CategoryEntry,
    VideoEntry,
    entries_as,
    known_video,
    read_content,
)

# Occlusion of a frame by the words of the OVIS files.
OCCLUSION_LEVELS = {"no_occlusion": 0.0, "slight_occlusion": 0.25, "severe_occlusion": 0.75}

Box = list[float]


@dataclass(slots=True)
class EncodedSequence:
    """An instance sequence of a file.

    Attributes:
        category_id: Its category.
        counts: Compressed RLE counts of its T frames; None where it has no mask.
        id: Its id in the file; its place among the sequences of the video, from 1, where the file
            gives none.
        source: Its place in the file, for messages.
    """

    category_id: int
    counts: Counts
    id: int
    source: str


@dataclass(slots=True)
class TrueSequence(EncodedSequence):
    """An annotated sequence, whose counts are valid.

    Attributes:
        boxes: T boxes [x, y, width, height] in pixels as the file gives them; None or empty where
            it gives none.
        is_crowd: Whether it is ignored: it need not be found, and may be found several times.
        mean_area: Mean of the file's areas that are neither null nor 0, else 0.
        occlusion: Mean occlusion of its visible frames, 0 to 1; None where the file does not tell.
        index: Its place among the annotations of the file.
    """

    boxes: list[Box | None]
    is_crowd: bool
    index: int
    mean_area: float = 0.0
    occlusion: float | None = None


@dataclass(slots=True)
class Video:
    """A video with its ground truth.

    Attributes:
        id: Id of the file.
        height: H of the frames.
        width: W of the frames.
        length: Number of frames T.
        file_names: T paths of the frames; empty where the file gives none.
        is_long: Whether it belongs to the long videos of YouTube-VIS 2022; None where the file
            does not tell.
        sequences: Its annotated sequences, in the order of the file.
    """

    id: int
    height: int
    width: int
    length: int
    file_names: list[str] = field(default_factory=list)
    is_long: bool | None = None
    sequences: list[TrueSequence] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width H, W."""
        return self.height, self.width


@dataclass(slots=True)
class GroundTruth:
    """The ground truth of a split.

    Attributes:
        name: Its file, for messages.
        videos: Its videos by id, in the order of the file.
        categories: Category names by id, in rising order.
    """

    name: str
    videos: dict[int, Video]
    categories: dict[int, str]

    @property
    def has_sequences(self) -> bool:
        """Whether there is any ground truth."""
        return any(video.sequences for video in self.videos.values())

    def in_order(self) -> "GroundTruth":
        """Return the same with the videos in rising order of their ids."""
        ids = sorted(self.videos, key=str_or_int)
        return replace(self, videos={video_id: self.videos[video_id] for video_id in ids})

    def restricted(
        self, video_ids: Collection[int], category_ids: Collection[int]
    ) -> "GroundTruth":
        """Return what it holds of some videos and categories."""
        videos = {
            key: replace(
                video, sequences=[one for one in video.sequences if one.category_id in category_ids]
            )
            for key, video in self.videos.items()
            if key in video_ids
        }
        categories = {key: name for key, name in self.categories.items() if key in category_ids}
        return GroundTruth(self.name, videos, categories)


def read_ground_truth(
    source: str | os.PathLike | dict[str, Any],
    *,
    need_annotations: bool = False,
    need_frames: bool = False,
    backend_args: dict | None = None,
) -> GroundTruth:
    """Read and check ground truth, or a list of videos without it.

    Masks may be polygons, compressed or uncompressed RLE. Missing ``areas`` are measured, a missing
    ``iscrowd`` is 0.

    Args:
        source: A YouTube-VIS json, its path or URL, or its content, which is not changed.
        need_annotations: Whether a file without ground truth is an error (training) or not (the
            published valid and test files have none).
        need_frames: Whether the frames have to be named; otherwise ``length`` may stand alone.
        backend_args: Arguments of the mmengine file backend.

    Raises:
        UserInputError: It is broken; the message names file and field.
    """
    name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else "ground truth"
    with input_errors(name):
        content = read_content(source, backend_args)
        videos = [
            _video(f"{name}: videos[{index}]", entry, need_frames)
            for index, entry in entries_as(VideoEntry, content, "videos", name)
        ]
        names = [
            (category.id, str(category.name))
            for _, category in entries_as(CategoryEntry, content, "categories", name)
        ]
        _refuse_repeated(f"{name}: videos", "id", [video.id for video in videos])
        for place, key in enumerate(("id", "name")):
            _refuse_repeated(f"{name}: categories", key, [pair[place] for pair in names])
        categories = dict(sorted(names, key=lambda pair: str_or_int(pair[0])))
        truth = GroundTruth(name, {video.id: video for video in videos}, categories)
        if _has_ground_truth(content):
            for index, entry in entries_as(AnnotationEntry, content, "annotations", name):
                _add_sequence(truth, index, entry)
        elif need_annotations:
            raise UserInputError(f"{name}: annotations: expected segmentations to train on")
    return truth


def str_or_int(identifier: int | str) -> tuple[bool, int | str]:
    """Sorting key of ids: numbers first."""
    return isinstance(identifier, str), identifier


def decode_masks(video: Video, sequences: Sequence[EncodedSequence]) -> MaskIntervals:
    """Decode and check the masks of sequences of a video.

    Raises:
        UserInputError: A mask is broken.
    """
    counts = [sequence.counts for sequence in sequences]
    try:
        return decode_intervals(counts, video.length, video.height * video.width)
    except RunLengthError as error:
        where = f"{sequences[error.sequence].source}segmentations[{error.frame}]"
        raise UserInputError(f"{where}: {error.problem}") from error


def _has_ground_truth(content: dict[str, Any]) -> bool:
    annotations = content.get("annotations")
    return isinstance(annotations, list) and any(
        isinstance(one, dict) and one.get("segmentations") for one in annotations
    )


def _refuse_repeated(place: str, key: str, values: Sequence[Any]) -> None:
    """Refuse an empty list, and ids and names that occur twice."""
    if not values:
        raise UserInputError(f"{place}: expected at least one entry, got an empty list")
    seen: set[Any] = set()
    for index, value in enumerate(values):
        if value in seen:
            raise UserInputError(f"{place}[{index}].{key}: {value!r} occurs twice")
        seen.add(value)


def _video(place: str, entry: VideoEntry, need_frames: bool) -> Video:
    files = [] if entry.file_names is UNSET else entry.file_names
    if entry.width * entry.height > MAX_PIXELS:
        expected = f"expected at most {MAX_PIXELS} pixels a frame"
        raise UserInputError(f"{place}.width: {expected}, got {entry.width}x{entry.height}")
    if not files and (need_frames or entry.length is UNSET):
        raise UserInputError(f"{place}.file_names: expected the paths of its frames, got none")
    length = len(files) if entry.length is UNSET else entry.length
    if files and length != len(files):
        raise UserInputError(f"{place}.file_names: expected {length} (length), got {len(files)}")
    is_long = entry.long if entry.is_long is None else entry.is_long
    is_long = None if is_long is None else bool(is_long)
    return Video(entry.id, entry.height, entry.width, length, files, is_long)


def _add_sequence(truth: GroundTruth, index: int, entry: AnnotationEntry) -> None:
    source = f"{truth.name}: annotations[{index}]."
    video = known_video(entry, truth.videos, truth.categories, truth.name, source)
    for key in ("bboxes", "areas", "occlusion"):
        values = getattr(entry, key)
        if values is not None and len(values) != video.length:
            expected = f"expected one entry or null per frame, {video.length}"
            raise UserInputError(f"{source}{key}: {expected}, got {len(values)}")
    counts = mask_counts(entry.segmentations, video.length, video.size, source)
    limit = coordinate_limit(*video.size)
    for frame, box in enumerate(entry.bboxes or ()):
        if box and not (len(box) == 4 and all(-limit <= n <= limit for n in box)):  # nor NaN
            expected = f"expected [x, y, width, height], pixels from {-limit} to {limit}"
            raise UserInputError(f"{source}bboxes[{frame}]: {expected}, got {short_repr(box)}")
    sequence = TrueSequence(
        entry.category_id,
        counts,
        entry.id if type(entry.id) is int else len(video.sequences) + 1,
        source,
        entry.bboxes or [None] * video.length,
        bool(entry.iscrowd),
        index,
    )
    [measured] = decode_masks(video, [sequence]).areas.tolist()  # T
    sequence.mean_area = _mean_area(measured if entry.areas is None else entry.areas)
    levels = [
        OCCLUSION_LEVELS[level]
        for level, text in zip(entry.occlusion or (), counts, strict=False)
        if level is not None and text is not None
    ]
    sequence.occlusion = sum(levels) / len(levels) if levels else None
    video.sequences.append(sequence)


def _mean_area(areas: Sequence[float | None]) -> float:
    visible = [area for area in areas if area]
    return sum(visible) / len(visible) if visible else 0.0
