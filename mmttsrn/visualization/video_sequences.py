"""Instance sequences of videos, read from YouTube-VIS annotation and results files."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from mmttsrn.errors import UserInputError
from mmttsrn.formats.rle import encode_segmentation
from mmttsrn.formats.youtube_vis_json import load_youtube_vis
from mmttsrn.visualization.masks import as_bool_masks
from mmttsrn.visualization.overlay import FrameInstances

RESULTS_HINT = (
    "expected the YouTube-VIS results format, a list of {video_id, category_id, score, "
    "segmentations}"
)


@dataclass(frozen=True)
class Track:
    """One instance through a video.

    Attributes:
        instance_id: Id, unique in the video.
        name: Class name.
        segmentations: T compressed RLE dicts; None where the instance is not in the frame.
        score: Score of the sequence, or None for ground truth.
    """

    instance_id: int
    name: str
    segmentations: list[dict | None]
    score: float | None = None


@dataclass
class TrackedVideo:
    """A video, its T frames and the instances in it.

    Attributes:
        video_id: Id of the annotation file.
        height: Height of the frames in pixels.
        width: Width of the frames in pixels.
        file_names: T frame paths below the image folder.
        ground_truth: Annotated instances.
        predictions: Predicted instances, the highest score first.
    """

    video_id: int
    height: int
    width: int
    file_names: list[str]
    ground_truth: list[Track] = field(default_factory=list)
    predictions: list[Track] = field(default_factory=list)

    def frame_instances(self, frame: int, tracks: list[Track]) -> FrameInstances:
        """What ``tracks`` of this video look like in one frame."""
        scores = [track.score for track in tracks if track.score is not None]
        return FrameInstances(
            ids=[track.instance_id for track in tracks],
            names=[track.name for track in tracks],
            masks=as_bool_masks(
                [track.segmentations[frame] for track in tracks], self.height, self.width
            ),
            scores=scores or None,
        )


def load_annotated_videos(ann_file: str | os.PathLike) -> tuple[dict[int, TrackedVideo], dict]:
    """Read the videos of an official YouTube-VIS json, with ground truth if it has any.

    Ground-truth instances are numbered from 1 in each video.

    Returns:
        Videos by id, and class names by category id.

    Raises:
        UserInputError: The file is missing or breaks the format.
    """
    content = load_youtube_vis(str(ann_file), need_annotations=False)
    names = {category["id"]: str(category["name"]) for category in content["categories"]}
    videos = {
        video["id"]: TrackedVideo(
            video["id"], video["height"], video["width"], list(video["file_names"])
        )
        for video in content["videos"]
    }
    for annotation in content["annotations"]:
        tracks = videos[annotation["video_id"]].ground_truth
        name = names[annotation["category_id"]]
        tracks.append(Track(len(tracks) + 1, name, annotation["segmentations"]))
    return videos, names


def add_predictions(
    videos: dict[int, TrackedVideo],
    names: dict[int, str],
    results_file: str | os.PathLike,
    score_thr: float,
) -> None:
    """Read a results file and add its instances to their videos.

    Instances are numbered from 1 in each video, the highest score first.

    Args:
        videos: Videos by id, as of :func:`load_annotated_videos`.
        names: Class names by category id.
        results_file: YouTube-VIS results json.
        score_thr: Instances with a score below it are left out.

    Raises:
        UserInputError: The file is missing, breaks the format or belongs to other videos.
    """
    entries = _read_results(results_file)
    for index, entry in enumerate(entries):
        _check_entry(results_file, index, entry, videos, names)
    for entry in sorted(entries, key=lambda entry: -entry["score"]):
        if entry["score"] >= score_thr:
            tracks = videos[entry["video_id"]].predictions
            name = names[entry["category_id"]]
            track = Track(len(tracks) + 1, name, entry["segmentations"], entry["score"])
            tracks.append(track)


def unique_stems(videos: Sequence[TrackedVideo]) -> dict[int, str]:
    """Relative path, without suffix, of the overlay video of each video: the folder of its frames.

    Videos that share a folder get their id appended.

    Raises:
        UserInputError: A frame path of the annotation file leaves the image folder.
    """
    folders = {video.video_id: frame_folder(video) for video in videos}
    shared = Counter(folders.values())
    return {
        video_id: folder if shared[folder] == 1 and folder else f"{folder or 'video'}_{video_id}"
        for video_id, folder in folders.items()
    }


def frame_folder(video: TrackedVideo) -> str:
    """Folder of the frames below the image folder, ``""`` for the image folder itself."""
    for name in video.file_names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise UserInputError(
                f"videos with id {video.video_id}: file_names: {name!r} leaves the image folder; "
                "expected a path below it"
            )
    folder = PurePosixPath(video.file_names[0]).parent.as_posix()
    return "" if folder == "." else folder


def _fail(results_file: str | os.PathLike, where: str, problem: str) -> NoReturn:
    raise UserInputError(f"{results_file}: {where}: {problem}")


def _read_results(results_file: str | os.PathLike) -> list[Any]:
    try:
        entries = json.loads(Path(results_file).read_text())
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UserInputError(
            f"{results_file}: results file not found; tools/test.py writes it"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserInputError(f"{results_file}: not valid json ({error}); write it anew") from error
    if not isinstance(entries, list):
        _fail(results_file, "top level", f"is a {type(entries).__name__}; {RESULTS_HINT}")
    return entries


def _check_entry(
    results_file: str | os.PathLike,
    index: int,
    entry: Any,
    videos: dict[int, TrackedVideo],
    names: dict[int, str],
) -> None:
    """Check one entry of a results file; encode its segmentations in place."""
    where = f"entry {index}"
    if not isinstance(entry, dict):
        _fail(results_file, where, f"is a {type(entry).__name__}; {RESULTS_HINT}")
    for key in ("video_id", "category_id", "score", "segmentations"):
        if key not in entry:
            _fail(results_file, f"{where}: {key}", f"missing key; {RESULTS_HINT}")
    for key, known in (("video_id", videos), ("category_id", names)):
        if entry[key] not in list(known):  # the value may be unhashable
            problem = f"{entry[key]!r} is not in the annotation file; pass the json that belongs"
            _fail(results_file, f"{where}: {key}", f"{problem} to these results")
    # NaN is the number that is not equal to itself.
    if not isinstance(entry["score"], (int, float)) or entry["score"] != entry["score"]:
        _fail(results_file, f"{where}: score", f"{entry['score']!r} is not a number")
    video = videos[entry["video_id"]]
    segmentations = entry["segmentations"]
    if not isinstance(segmentations, list) or len(segmentations) != len(video.file_names):
        found = len(segmentations) if isinstance(segmentations, list) else repr(segmentations)
        problem = f"has {found} entries, expected one per frame of video {video.video_id}"
        _fail(results_file, f"{where}: segmentations", f"{problem}, {len(video.file_names)}")
    for frame, segmentation in enumerate(segmentations):
        if segmentation is not None:
            try:
                segmentations[frame] = encode_segmentation(segmentation, video.height, video.width)
            except (TypeError, ValueError) as error:
                _fail(results_file, f"{where}: segmentations[{frame}]", str(error))
