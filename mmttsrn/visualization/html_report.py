"""One self-contained page for the results of a video: player, sequences, numbers."""

import base64
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmttsrn.formats.output_files import partial_file
from mmttsrn.visualization.colors import instance_color
from mmttsrn.visualization.overlay import FrameInstances

MAX_FRAMES = 300  # pictures in a page; more would make it too large to open
MAX_WIDTH = 640
THUMB_SIZE = 96
JPEG_QUALITY = 75
NUM_WORST = 5


@dataclass
class _Instance:
    """An instance as the page has it.

    Attributes:
        name: Its class.
        score: Its score; 1 for ground truth.
        label: What is written beside it.
        thumb: Picture of it where it is largest, JPEG.
        area: Pixels of its box there.
        spans: First and last frames of the stretches in which it is visible.
        seen: Box and outlines by picture of the page.
    """

    name: str
    score: float
    label: str
    thumb: bytes = b""
    area: float = 0.0
    spans: list[list[int]] = field(default_factory=list)
    seen: dict[int, dict[str, Any]] = field(default_factory=dict)

    def add_frame(self, number: int) -> None:
        """Note that it is visible in a frame."""
        if self.spans and self.spans[-1][1] == number - 1:
            self.spans[-1][1] = number
        else:
            self.spans.append([number, number])


@dataclass(frozen=True)
class TruthSummary:
    """How the results of a video compare with its ground truth.

    Attributes:
        numbers: Names and values, such as AP, as they are shown.
    """

    numbers: Sequence[tuple[str, str]]


def write_html_report(
    path: Path,
    title: str,
    num_frames: int,
    fps: float,
    frames: Iterable[tuple[np.ndarray, FrameInstances]],
    truth: tuple[TruthSummary, Iterable[FrameInstances]] | None = None,
) -> None:
    """Write the page of a video, which needs no other file and loads nothing.

    A long video has every k-th frame in it, as pictures of at most 640 pixels width.

    Args:
        path: The html file.
        title: Name of the video.
        num_frames: Its length.
        fps: Frames per second of the video.
        frames: Its frames, RGB (H, W, 3), uint8, with what was found in each.
        truth: What is annotated in each frame, and how the results compare with it.
    """
    step = max(1, math.ceil(num_frames / MAX_FRAMES))
    pictures: list[dict[str, Any]] = []
    found: dict[int, _Instance] = {}
    true: dict[int, _Instance] = {}
    overlaps: list[tuple[int, float]] = []
    annotated = iter(truth[1]) if truth is not None else None
    size, scale = (0, 0), 1.0
    for number, (image, instances) in enumerate(frames):
        if not pictures:
            scale = min(1.0, MAX_WIDTH / image.shape[1])
            size = (round(image.shape[0] * scale), round(image.shape[1] * scale))
        expected = next(annotated) if annotated is not None else None
        picture = None
        if number % step == 0:
            picture = len(pictures)
            small = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
            pictures.append({"index": number, "jpeg": _jpeg(small)})
        _collect(found, instances, number, picture, scale, image)
        if expected is not None:
            _collect(true, expected, number, picture, scale, None)
            overlaps += [(number, iou) for iou in _best_overlaps(instances, expected)]
    content = {
        "title": title,
        "about": _about(num_frames, step, len(found)),
        "width": size[1],
        "height": size[0],
        "num_frames": num_frames,
        "frames_per_second": min(max(fps / step, 1), 60),
        "frames": pictures,
        "instances": _as_json(found),
        "truth": None
        if truth is None
        else {
            "numbers": truth[0].numbers,
            "worst": _worst_frames(overlaps),
            "instances": _as_json(true),
        },
    }
    # "</script>" inside a string would end the data.
    text = json.dumps(content, separators=(",", ":")).replace("</", "<\\/")
    template = files("mmttsrn.visualization").joinpath("html_report.html").read_text("utf-8")
    with partial_file(path) as partial:
        partial.write_text(template.replace("/*DATA*/", text), encoding="utf-8")


def _collect(
    known: dict[int, _Instance],
    instances: FrameInstances,
    number: int,
    picture: int | None,
    scale: float,
    image: np.ndarray | None,
) -> None:
    """Add the instances of a frame; ``image`` is where their thumbnails are cut out."""
    for index in instances.drawing_order():
        identity = int(instances.ids[index])
        score = 1.0 if instances.scores is None else float(instances.scores[index])
        name, rest = instances.caption(index)
        instance = known.setdefault(identity, _Instance(name, score, name + rest))
        instance.name, instance.score, instance.label = name, score, name + rest
        instance.add_frame(number)
        box = instances.box(index)
        area = float((box[2] - box[0]) * (box[3] - box[1]))
        if image is not None and area > 1.2 * instance.area:
            instance.area, instance.thumb = area, _thumbnail(image, box)
        if picture is not None:
            outlines = []
            if instances.masks is not None:
                outlines = _outlines(instances.masks[index], scale)
            instance.seen[picture] = {
                "box": [round(value, 1) for value in (box * scale).tolist()],
                "polygons": outlines,
            }


def _outlines(mask: np.ndarray, scale: float) -> list[list[float]]:
    """Outlines of a mask, holes too, as x, y, x, y, ... of the picture."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    simple = (cv2.approxPolyDP(contour, 0.5 / scale, closed=True) for contour in contours)
    return [
        [round(float(value) * scale, 1) for value in outline.reshape(-1)]
        for outline in simple
        if len(outline) > 2
    ]


def _thumbnail(image: np.ndarray, box: np.ndarray) -> bytes:
    height, width = image.shape[:2]
    x1, y1 = (max(int(value), 0) for value in box[:2])
    x2, y2 = min(math.ceil(box[2]), width), min(math.ceil(box[3]), height)
    part = image[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)]
    shrink = THUMB_SIZE / max(part.shape[:2])
    size = [max(round(side * shrink), 1) for side in part.shape[1::-1]]
    return _encode(cv2.resize(part, size, interpolation=cv2.INTER_AREA))


def _best_overlaps(found: FrameInstances, true: FrameInstances) -> list[float]:
    """IoU of each annotated mask with the found one that is nearest to it."""
    best = []
    for index in true.drawing_order():
        if true.masks is None or found.masks is None or not len(found.masks):
            best.append(0.0)
            continue
        mask = true.masks[index]
        shared = (found.masks & mask).sum((1, 2))
        best.append(float((shared / (found.masks | mask).sum((1, 2)).clip(1)).max()))
    return best


def _worst_frames(overlaps: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Frames with the lowest mean IoU."""
    by_frame: dict[int, list[float]] = {}
    for number, iou in overlaps:
        by_frame.setdefault(number, []).append(iou)
    means = [(number, float(np.mean(ious))) for number, ious in by_frame.items()]
    return sorted(means, key=lambda pair: pair[1])[:NUM_WORST]


def _about(num_frames: int, step: int, num_instances: int) -> str:
    pictures = f", every {step}. one shown" if step > 1 else ""
    return f"{num_frames} frames{pictures}, {num_instances} instances"


def _as_json(instances: dict[int, _Instance]) -> list[dict[str, Any]]:
    """Instances, the best first."""
    rows = sorted(instances.items(), key=lambda pair: -pair[1].score)
    return [
        {
            "id": identity,
            "name": instance.name,
            "label": instance.label,
            "score": instance.score,
            "color": "#{:02x}{:02x}{:02x}".format(*instance_color(identity)),
            "thumb": base64.b64encode(instance.thumb).decode(),
            "spans": instance.spans,
            "seen": instance.seen,
        }
        for identity, instance in rows
    ]


def _jpeg(image: np.ndarray) -> str:
    return base64.b64encode(_encode(image)).decode()


def _encode(image: np.ndarray) -> bytes:
    """JPEG of an RGB image."""
    _, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    return data.tobytes()
