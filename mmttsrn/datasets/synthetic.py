"""Moving shapes: a small generated data set in the official YouTube-VIS format.

Textured discs, squares, triangles and stars move over a textured, slowly panning background. They
turn, change size, hide one another in a fixed depth order, enter and leave. Only the shape tells
the class: colours and textures are drawn per object.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import mmcv
import numpy as np
from pycocotools import mask as mask_utils

from mmttsrn.datasets.synthetic_scenes import CLASSES, draw_object, render_clip
from mmttsrn.formats.output_files import replace_file

MIN_VISIBLE_PIXELS = 12


def write_moving_shapes(
    out_dir: str | Path,
    train_clips: int = 16,
    val_clips: int = 4,
    num_frames: int = 12,
    size: tuple[int, int] = (96, 160),
    max_objects: int = 4,
    seed: int = 0,
) -> None:
    """Write ``{train,valid}/JPEGImages/<clip>/<frame>.jpg`` and ``{train,valid}.json``.

    The same arguments give the same data. Each json is written last and at once, so a json that
    exists describes frames that exist.

    Args:
        out_dir: Folder of the data set; created when it does not exist.
        train_clips: Clips of the training split.
        val_clips: Clips of the validation split, annotated too.
        num_frames: Frames per clip, T.
        size: Height and width in pixels.
        max_objects: Clips hold 1, 2, ... up to this many objects in turn.
        seed: Seed of everything drawn.
    """
    if min(train_clips, val_clips, num_frames, max_objects) < 1 or min(size) < 32:
        raise ValueError("expected at least 1 clip per split, 1 frame, 1 object, 32 pixels a side")
    for index, (split, clips) in enumerate((("train", train_clips), ("valid", val_clips))):
        _write_split(Path(out_dir), split, clips, num_frames, size, max_objects, (seed, index))


def _write_split(
    out_dir: Path,
    split: str,
    clips: int,
    num_frames: int,
    size: tuple[int, int],
    max_objects: int,
    seed: tuple[int, int],
) -> None:
    labels = _balanced_labels(np.random.default_rng(seed))
    height, width = size
    videos: list[dict] = []
    annotations: list[dict] = []
    for clip in range(clips):
        rng = np.random.default_rng((*seed, clip))
        objects = [
            draw_object(rng, next(labels), num_frames, size, stays=index == 0)
            for index in range(clip % max_objects + 1)
        ]
        frames, masks = render_clip(objects, num_frames, size, rng)
        names = [f"clip_{clip:03d}/{frame:05d}.jpg" for frame in range(num_frames)]
        for name, frame in zip(names, frames, strict=True):
            path = out_dir / split / "JPEGImages" / name
            mmcv.imwrite(frame, path, [cv2.IMWRITE_JPEG_QUALITY, 92])
        video = {"id": clip + 1, "width": width, "height": height, "length": num_frames}
        videos.append(video | {"file_names": names})
        for index, moving in enumerate(objects):
            tracks = _annotate(masks[:, index])
            if any(tracks["segmentations"]):
                entry = {"id": len(annotations) + 1, "video_id": clip + 1, "iscrowd": 0}
                annotations.append(entry | {"category_id": moving.label + 1} | tracks)
    content = {
        "info": {"description": "Moving shapes, generated", "version": "1.0"},
        "licenses": [],
        "videos": videos,
        "categories": [{"id": label + 1, "name": name} for label, name in enumerate(CLASSES)],
        "annotations": annotations,
    }
    text = json.dumps(content)
    replace_file(out_dir / f"{split}.json", lambda partial: partial.write_text(text))


def _balanced_labels(rng: np.random.Generator) -> Iterator[int]:
    """Labels in shuffled rounds, so that small splits hold every class."""
    while True:
        yield from rng.permutation(len(CLASSES)).tolist()


def _annotate(masks: np.ndarray) -> dict[str, list]:
    """Per-frame lists of one object from its visible masks (T, H, W), null where it is hidden."""
    lists: dict[str, list] = {"segmentations": [], "bboxes": [], "areas": []}
    for mask in masks:
        area = int(mask.sum())
        entry: tuple[Any, Any, Any] = (None, None, None)
        if area >= MIN_VISIBLE_PIXELS:
            rle = mask_utils.encode(np.asfortranarray(mask, dtype=np.uint8))
            entry = (_uncompressed(mask), mask_utils.toBbox(rle).tolist(), area)
        for key, value in zip(lists, entry, strict=True):
            lists[key].append(value)
    return lists


def _uncompressed(mask: np.ndarray) -> dict[str, list[int]]:
    """Uncompressed RLE as the official files hold it: column by column, zeros first."""
    pixels = np.concatenate([[False], mask.ravel(order="F")])
    changes = np.flatnonzero(pixels[1:] != pixels[:-1])
    runs = np.diff(np.concatenate([[0], changes, [mask.size]]))
    return {"size": list(mask.shape), "counts": runs.tolist()}
