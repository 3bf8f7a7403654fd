"""Ground truth of the official YouTube-VIS format: what a file holds, read and checked."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from reprlib import repr as short_repr
from typing import Any, Protocol

from mmttsrn.errors import UserInputError
from mmttsrn.formats.encoded_masks import Counts, compress_masks
from mmttsrn.formats.intervals import MaskIntervals, RunLengthError, decode_intervals
from mmttsrn.formats.json_stream import read_json, refuse_deep_nesting
from mmttsrn.formats.youtube_vis_json import check_youtube_vis

# Written by some tools for the long videos of YouTube-VIS 2022.
LONG_VIDEO_KEYS = ("is_long", "long")
# Occlusion of a frame by the words of the OVIS files.
OCCLUSION_LEVELS = {"no_occlusion": 0.0, "slight_occlusion": 0.25, "severe_occlusion": 0.75}

Box = list[float]


@dataclass(slots=True)
class TrueSequence:
    """An annotated sequence.

    Attributes:
        category_id: Its category.
        counts: Valid compressed RLE counts of its T frames; None where it has no mask.
        boxes: T boxes [x, y, width, height] in pixels as the file gives them; None or empty where
            it gives none.
        is_crowd: Whether it is ignored: it need not be found, and may be found several times.
        mean_area: Mean of the file's areas that are neither null nor 0, else 0.
        occlusion: Mean occlusion of its visible frames, 0 to 1; None where the file does not tell.
        index: Its place among the annotations of the file.
        id: Its id in the file; its place among the sequences of the video, from 1, where the file
            gives none.
        source: The same for messages.
    """

    category_id: int
    counts: Counts
    boxes: list[Box | None]
    is_crowd: bool
    mean_area: float = 0.0
    occlusion: float | None = None
    index: int = 0
    id: int = 0
    source: str = ""


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
        return GroundTruth(
            self.name,
            {
                video_id: replace(
                    video,
                    sequences=[
                        sequence
                        for sequence in video.sequences
                        if sequence.category_id in category_ids
                    ],
                )
                for video_id, video in self.videos.items()
                if video_id in video_ids
            },
            {key: name for key, name in self.categories.items() if key in category_ids},
        )


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
    with refuse_deep_nesting(name):
        if isinstance(source, (str, os.PathLike)):
            content = read_json(source, _own_entry, backend_args)
        else:
            content = _own_content(source)
        check_youtube_vis(name, content, need_annotations, need_frames)
    videos = {entry["id"]: _video(entry) for entry in content["videos"]}
    categories = {
        entry["id"]: str(entry["name"])
        for entry in sorted(content["categories"], key=lambda entry: str_or_int(entry["id"]))
    }
    for index, annotation in enumerate(content["annotations"]):
        video = videos[annotation["video_id"]]
        video.sequences.append(_true_sequence(name, index, annotation, video))
    return GroundTruth(name, videos, categories)


def str_or_int(identifier: int | str) -> tuple[bool, int | str]:
    """Sorting key of ids: numbers first."""
    return isinstance(identifier, str), identifier


class EncodedSequence(Protocol):
    """A sequence with its T masks and its place in its file."""

    counts: Counts
    source: str


def decode_masks(video: Video, sequences: Sequence[EncodedSequence]) -> MaskIntervals:
    """Decode and check the masks of sequences of a video.

    Raises:
        UserInputError: A mask is broken.
    """
    counts = [sequence.counts for sequence in sequences]
    try:
        return decode_intervals(counts, video.length, video.height * video.width)
    except RunLengthError as error:
        raise UserInputError(
            f"{sequences[error.sequence].source}segmentations[{error.frame}]: {error.problem};"
            f" correct the mask or the size of video {video.id}"
        ) from error


def _own_content(content: Any) -> Any:
    """Copy the content as deep as the checks change it."""
    if not isinstance(content, dict):
        return content
    return {
        key: [_own_entry(entry) for entry in value] if isinstance(value, list) else value
        for key, value in content.items()
    }


def _own_entry(entry: Any) -> Any:
    """Copy a video or an annotation; large uncompressed masks become small strings."""
    if not isinstance(entry, dict):
        return entry
    entry = dict(entry)
    if isinstance(entry.get("segmentations"), list):
        entry["segmentations"] = list(compress_masks(entry["segmentations"]))
    if isinstance(entry.get("bboxes"), list):
        entry["bboxes"] = list(entry["bboxes"])
    return entry


def _video(entry: dict[str, Any]) -> Video:
    is_long = next((bool(entry[key]) for key in LONG_VIDEO_KEYS if key in entry), None)
    return Video(
        entry["id"], entry["height"], entry["width"], entry["length"], entry["file_names"], is_long
    )


def _true_sequence(name: str, index: int, annotation: dict[str, Any], video: Video) -> TrueSequence:
    identity = annotation.get("id")
    sequence = TrueSequence(
        annotation["category_id"],
        [rle and rle["counts"] for rle in annotation["segmentations"]],
        annotation["bboxes"],
        bool(annotation.get("iscrowd", 0)),
        index=index,
        id=identity if type(identity) is int else len(video.sequences) + 1,
        source=f"{name}: annotations[{index}].",
    )
    [measured] = decode_masks(video, [sequence]).areas.tolist()  # T
    areas = annotation.get("areas")
    sequence.mean_area = _mean_area(measured if areas is None else areas)
    sequence.occlusion = _mean_occlusion(sequence.source, annotation, sequence.counts)
    return sequence


def _mean_area(areas: list[float | None]) -> float:
    visible = [area for area in areas if area]
    return sum(visible) / len(visible) if visible else 0.0


def _mean_occlusion(source: str, annotation: dict[str, Any], counts: Counts) -> float | None:
    """Mean occlusion of the frames with a mask; None where the file does not tell."""
    levels = annotation.get("occlusion")
    if levels is None:
        return None
    if not isinstance(levels, list) or len(levels) != len(counts):
        raise UserInputError(
            f"{source}occlusion: expected a list with one entry per frame, {len(counts)}"
        )
    visible = []
    for frame, (level, text) in enumerate(zip(levels, counts, strict=True)):
        if level is None or text is None:
            continue
        if not isinstance(level, str) or level not in OCCLUSION_LEVELS:
            raise UserInputError(
                f"{source}occlusion[{frame}]: {short_repr(level)} is unknown; expected"
                f" {', '.join(OCCLUSION_LEVELS)} or null"
            )
        visible.append(OCCLUSION_LEVELS[level])
    return sum(visible) / len(visible) if visible else None
