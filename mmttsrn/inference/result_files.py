"""Files with the results of a video: json, csv, png and overlay mp4, each whole or not there."""

import csv
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from pycocotools import mask as mask_utils

from mmttsrn.formats.output_files import partial_file
from mmttsrn.inference.result_store import ResultStore
from mmttsrn.structures import FrameResults, SequenceScores
from mmttsrn.visualization.colors import instance_palette
from mmttsrn.visualization.overlay import Trails, draw_instances
from mmttsrn.visualization.video_io import Mp4Writer

MOST_IDS_IN_PALETTE = 255
TRAIL_SECONDS = 1.0


@dataclass(frozen=True)
class VideoResults:
    """The results of a video, which are on disk."""

    name: str
    size: tuple[int, int]  # height, width
    fps: float | None  # None where that is not known
    classes: Sequence[str]
    store: ResultStore  # what is seen in each frame
    sequences: SequenceScores  # to be written, with their final scores and classes
    seconds: Sequence[float] = ()  # when each frame is shown; empty where that is not known
    file_names: Sequence[str] | None = None  # for ``read_frame``; None if they are not on disk

    def rows(self) -> Iterator[tuple[int, float, int]]:
        """Id, score and class of each sequence."""
        ids, scores, labels = (values.tolist() for values in self.sequences)
        return zip(ids, scores, labels, strict=True)

    def frame(self, number: int) -> FrameResults:
        """Instances of a frame, by rising id, with score and class of their sequences."""
        known = self._known
        seen = [instance for instance in self.store.frame(number) if instance.id in known]
        counts = [instance.counts or "" for instance in seen]
        return FrameResults(
            index=number,
            instance_ids=torch.tensor([instance.id for instance in seen]).long(),
            scores=torch.tensor([known[instance.id][0] for instance in seen]),
            labels=torch.tensor([known[instance.id][1] for instance in seen]).long(),
            boxes=torch.tensor([instance.box for instance in seen]).reshape(-1, 4),
            size=self.size,
            counts=counts if all(counts) else None,
            classes=self.classes,
        )

    @cached_property
    def _known(self) -> dict[int, tuple[float, int]]:
        return {identity: (score, label) for identity, score, label in self.rows()}


def write_json(results: VideoResults, path: Path) -> None:
    """Write a json in the format of YouTube-VIS.

    Its annotations have a ``score`` besides, so that they are results and annotations in one: they
    can be trained on, evaluated and drawn. Instances keep their id in the video as ``id``.
    """
    height, width = results.size
    length = results.store.num_frames
    video = {"id": 1, "name": results.name, "width": width, "height": height, "length": length}
    if results.fps is not None:
        video["fps"] = results.fps
    if results.seconds:
        video["seconds"] = [round(value, 6) for value in results.seconds]
    if results.file_names is not None:
        video["file_names"] = list(results.file_names)
    categories = [{"id": i, "name": name} for i, name in enumerate(results.classes, 1)]
    with partial_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        # One sequence at a time: they need not fit into memory together.
        file.write(f'{{"videos": {json.dumps([video])},\n"categories": {json.dumps(categories)},\n')
        file.write('"annotations": [')
        for index, (identity, score, label) in enumerate(results.rows()):
            file.write("\n" if index == 0 else ",\n")
            json.dump(_annotation(results, identity, score, label), file)
        file.write("]}\n")


def _annotation(results: VideoResults, identity: int, score: float, label: int) -> dict[str, Any]:
    length, size = results.store.num_frames, list(results.size)
    boxes: list[Any] = [None] * length
    areas: list[Any] = [None] * length
    masks: list[Any] = [None] * length
    for seen in results.store.sequence(identity):
        x1, y1, x2, y2 = seen.box
        boxes[seen.frame] = [round(value, 2) for value in (x1, y1, x2 - x1, y2 - y1)]
        if seen.counts is not None:
            masks[seen.frame] = rle = {"size": size, "counts": seen.counts}
            areas[seen.frame] = int(mask_utils.area(rle))
    return {
        "id": identity,
        "video_id": 1,
        "category_id": label + 1,
        "score": score,
        "iscrowd": 0,
        "height": size[0],
        "width": size[1],
        "length": length,
        "bboxes": boxes,
        "areas": areas,
        "segmentations": masks,
    }


def write_csv(results: VideoResults, path: Path) -> None:
    """Write a table with a row for each instance and frame."""
    with (
        partial_file(path) as partial,
        partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        table = csv.writer(file)
        head = ["frame", "seconds", "instance_id", "class", "score", "x1", "y1", "x2", "y2", "area"]
        table.writerow(head)
        for number in range(results.store.num_frames):
            frame = results.frame(number)
            areas: Sequence[Any] = [""] * len(frame)
            if frame.counts is not None and len(frame):
                areas = mask_utils.area(frame.rles())
            assert frame.scores is not None
            columns = (frame.instance_ids.tolist(), frame.names, frame.scores.tolist())
            seconds = f"{results.seconds[number]:.3f}" if results.seconds else ""
            rows = zip(*columns, frame.boxes.tolist(), areas, strict=True)
            for identity, name, score, box, area in rows:
                box = [f"{value:.2f}" for value in box]
                table.writerow([number, seconds, identity, name, f"{score:.4f}", *box, area])


def write_pngs(results: VideoResults, folder: Path) -> None:
    """Write a picture of instance ids for each frame, 0 where there is none.

    They have a palette, as those of DAVIS, while ids fit into 8 bits, and 16 bits otherwise; the
    higher score lies on top.
    """
    most = max((identity for identity, _, _ in results.rows()), default=0)
    with _partial_folder(folder) as partial:
        for number in range(results.store.num_frames):
            frame = results.frame(number)
            picture = np.zeros(results.size, np.uint16)
            assert frame.masks is not None
            assert frame.scores is not None
            for row in frame.scores.argsort(stable=True).tolist():
                picture[frame.masks[row]] = int(frame.instance_ids[row])
            _write_png(partial / f"{number:05d}.png", picture, most <= MOST_IDS_IN_PALETTE)


def _write_png(path: Path, picture: np.ndarray, with_palette: bool) -> None:
    if not with_palette:
        cv2.imwrite(str(path), picture)
        return
    from PIL import Image

    image = Image.fromarray(picture.astype(np.uint8), mode="P")
    colors = np.zeros((256, 3), np.uint8)
    colors[1:] = np.resize(instance_palette(), (255, 3))
    image.putpalette(colors.tobytes())
    image.save(path)


class OverlayWriter(Mp4Writer):
    """Draws results on the frames of a video and writes them as mp4; use it in a ``with``.

    Args:
        path: The mp4.
        fps: Frames per second, for frames that come without their time.
        with_trails: Whether a line shows where each instance has been.
        sound: A video file whose sound the mp4 gets.
    """

    def __init__(
        self, path: Path, fps: float, with_trails: bool = True, sound: Path | None = None
    ) -> None:
        super().__init__(path, fps, sound)
        self.trails = Trails(round(TRAIL_SECONDS * fps)) if with_trails else None

    def add(self, image: np.ndarray, frame: FrameResults, seconds: float | None = None) -> None:
        """Append the next frame, RGB (H, W, 3), uint8, that is shown at a time after the first."""
        self.write(draw_instances(image, frame, trails=self.trails), seconds)


@contextmanager
def _partial_folder(folder: Path) -> Iterator[Path]:
    """Fill a folder next to its place and move it there, in place of what was there."""
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
