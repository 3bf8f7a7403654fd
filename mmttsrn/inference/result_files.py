"""Files with the results of a video: json, csv, png and overlay mp4, each whole or not there."""

import csv
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as mask_utils

from mmttsrn.formats.output_files import partial_file
from mmttsrn.inference.result_store import ResultStore, SeenInstance
from mmttsrn.structures import SequenceScores
from mmttsrn.visualization.colors import instance_palette
from mmttsrn.visualization.html_report import write_html_report
from mmttsrn.visualization.overlay import FrameInstances, OverlayStyle, Trails, draw_instances
from mmttsrn.visualization.video_io import Mp4Writer

MOST_IDS_IN_PALETTE = 255
TRAIL_SECONDS = 1.0


@dataclass(frozen=True)
class VideoResults:
    """The results of a video, which are on disk.

    Attributes:
        name: Of the video.
        size: Height and width H, W.
        fps: Frames per second; None where that is not known.
        classes: Names of the classes.
        store: What is seen in each frame.
        sequences: Sequences to write, with their final scores and classes.
    """

    name: str
    size: tuple[int, int]
    fps: float | None
    classes: Sequence[str]
    store: ResultStore
    sequences: SequenceScores

    def rows(self) -> Iterator[tuple[int, float, int]]:
        """Id, score and class of each sequence."""
        ids, scores, labels = (values.tolist() for values in self.sequences)
        return zip(ids, scores, labels, strict=True)

    def frame(self, number: int) -> list[tuple[SeenInstance, float, int]]:
        """Instances of a frame, with score and class of their sequences."""
        known, seen = self._known, self.store.frame(number)
        return [(instance, *known[instance.id]) for instance in seen if instance.id in known]

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
        "id": identity + 1,
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
    with partial_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["frame", "instance_id", "class", "score", "x1", "y1", "x2", "y2", "area"])
        for number in range(results.store.num_frames):
            for seen, score, label in results.frame(number):
                area = ""
                if seen.counts is not None:
                    rle = {"size": list(results.size), "counts": seen.counts}
                    area = str(int(mask_utils.area(rle)))
                box = [f"{value:.2f}" for value in seen.box]
                name = results.classes[label]
                table.writerow([number, seen.id + 1, name, f"{score:.4f}", *box, area])


def write_pngs(results: VideoResults, folder: Path) -> None:
    """Write a picture of instance ids for each frame, 0 where there is none.

    They have a palette, as those of DAVIS, while ids fit into 8 bits, and 16 bits otherwise; the
    higher score lies on top.
    """
    most = max((identity + 1 for identity, _, _ in results.rows()), default=0)
    with _partial_folder(folder) as partial:
        for number in range(results.store.num_frames):
            picture = np.zeros(results.size, np.uint16)
            for seen, _, _ in sorted(results.frame(number), key=lambda row: row[1]):
                picture[_decode(results, [seen])[0]] = seen.id + 1
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


def write_overlay(
    results: VideoResults,
    frames: Iterable[np.ndarray],
    path: Path,
    fps: float,
    style: OverlayStyle | None = None,
) -> None:
    """Draw the results on the frames of the video, RGB (H, W, 3), and write them as mp4."""
    trails = Trails(round(TRAIL_SECONDS * fps))
    with Mp4Writer(path, fps) as writer:
        for number, image in enumerate(frames):
            if number == results.store.num_frames:
                break
            rows = results.frame(number)
            instances = frame_instances(results, rows)
            writer.write(draw_instances(image, instances, style, trails))


def write_html(results: VideoResults, frames: Iterable[np.ndarray], path: Path, fps: float) -> None:
    """Write the page with the frames of the video, RGB (H, W, 3), and what was found in them."""
    length = results.store.num_frames
    pairs = (
        (image, frame_instances(results, results.frame(number)))
        for number, image in zip(range(length), frames, strict=False)
    )
    write_html_report(path, results.name, length, fps, pairs)


def frame_instances(
    results: VideoResults, rows: Sequence[tuple[SeenInstance, float, int]]
) -> FrameInstances:
    """Instances of a frame as they are drawn."""
    seen = [row[0] for row in rows]
    has_masks = all(instance.counts is not None for instance in seen)
    return FrameInstances(
        ids=[instance.id + 1 for instance in seen],
        names=[results.classes[label] for _, _, label in rows],
        masks=_decode(results, seen) if has_masks else None,
        boxes=np.array([instance.box for instance in seen]).reshape(-1, 4),
        scores=[score for _, score, _ in rows],
    )


def _decode(results: VideoResults, seen: Sequence[SeenInstance]) -> np.ndarray:
    """Masks (n, H, W) bool."""
    masks = np.zeros((len(seen), *results.size), bool)
    for mask, instance in zip(masks, seen, strict=True):
        mask[:] = mask_utils.decode({"size": list(results.size), "counts": instance.counts})
    return masks


@contextmanager
def _partial_folder(folder: Path) -> Iterator[Path]:
    """Fill a folder beside its place and move it there, in place of what was there."""
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
