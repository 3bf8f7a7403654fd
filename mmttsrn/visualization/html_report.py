"""One self-contained page for the results of a video: player, sequences, numbers."""

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as mask_utils

from mmttsrn.formats.output_files import partial_file
from mmttsrn.structures import FrameResults
from mmttsrn.visualization.colors import instance_color
from mmttsrn.visualization.overlay import caption, drawing_order

MAX_FRAMES = 300  # pictures in a page; more would make it too large to open
MAX_WIDTH = 640
THUMB_SIZE = 96
JPEG_QUALITY = 75
NUM_WORST = 5


@dataclass
class _Instance:
    """An instance as the page has it."""

    name: str  # of its class
    score: float  # 1 for ground truth
    label: str
    thumb: str = ""  # picture of it where it is largest, JPEG in base64
    area: float = 0.0  # pixels of its box there
    # First and last frames of the stretches in which it is visible.
    spans: list[list[int]] = field(default_factory=list)
    seen: dict[int, dict[str, Any]] = field(default_factory=dict)  # by picture of the page


class HtmlReport:
    """The page of a video, which needs no other file and loads nothing.

    Use it in a ``with`` statement, whose end writes the page unless an exception ends it. A long
    video has every k-th frame in it, as pictures of at most 640 pixels width.

    Args:
        path: The html file.
        title: Name of the video.
        num_frames: Its length.
        fps: Frames per second of the video.
        numbers: Names and values, such as AP, that say how the results compare with the ground
            truth that :meth:`add` gets; None without ground truth.
    """

    def __init__(
        self,
        path: Path,
        title: str,
        num_frames: int,
        fps: float,
        numbers: Sequence[tuple[str, str]] | None = None,
    ) -> None:
        self.path, self.title = path, title
        self.num_frames, self.fps = num_frames, fps
        self.numbers = numbers
        self.step = max(1, math.ceil(num_frames / MAX_FRAMES))
        self.size, self.scale = (0, 0), 1.0  # of the pictures
        self._pictures: list[dict[str, Any]] = []
        self._found: dict[int, _Instance] = {}
        self._true: dict[int, _Instance] = {}
        self._overlaps: list[tuple[int, float]] = []
        self._number = 0

    def add(self, image: np.ndarray, found: FrameResults, true: FrameResults | None = None) -> None:
        """Take in the next frame.

        Args:
            image: RGB (H, W, 3), uint8.
            found: What was found in it.
            true: What is annotated in it.
        """
        number = self._number
        self._number += 1
        if not self._pictures:
            self.scale = min(1.0, MAX_WIDTH / image.shape[1])
            height, width = (max(round(side * self.scale), 1) for side in image.shape[:2])
            self.size = (height, width)
        picture = None
        if number % self.step == 0:
            picture = len(self._pictures)
            small = cv2.resize(image, self.size[::-1], interpolation=cv2.INTER_AREA)
            self._pictures.append({"index": number, "jpeg": _jpeg(small)})
        _collect(self._found, found, number, picture, self.scale, image)
        if true is not None:
            _collect(self._true, true, number, picture, self.scale, None)
            self._overlaps += [(number, iou) for iou in _best_overlaps(found, true)]

    def __enter__(self) -> "HtmlReport":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._write()

    def _write(self) -> None:
        pictures = f", every {self.step}. one shown" if self.step > 1 else ""
        content = {
            "title": self.title,
            "about": f"{self.num_frames} frames{pictures}, {len(self._found)} instances",
            "width": self.size[1],
            "height": self.size[0],
            "num_frames": self.num_frames,
            "frames_per_second": min(max(self.fps / self.step, 1), 60),
            "frames": self._pictures,
            "instances": _as_json(self._found),
            "truth": None
            if self.numbers is None
            else {
                "numbers": self.numbers,
                "worst": _worst_frames(self._overlaps),
                "instances": _as_json(self._true),
            },
        }
        # "</script>" or "<!--<script>" inside a string would change where the data end.
        text = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
        template = files("mmttsrn.visualization").joinpath("html_report.html").read_text("utf-8")
        with partial_file(self.path) as partial:
            partial.write_text(template.replace("/*DATA*/", text), encoding="utf-8")


def _collect(
    known: dict[int, _Instance],
    frame: FrameResults,
    number: int,
    picture: int | None,
    scale: float,
    image: np.ndarray | None,
) -> None:
    """Add the instances of a frame; ``image`` is where their thumbnails are cut out."""
    for row in drawing_order(frame):
        score = 1.0 if frame.scores is None else float(frame.scores[row])
        name, rest = caption(frame, row)
        identity = int(frame.instance_ids[row])
        instance = known.setdefault(identity, _Instance(name, score, name + rest))
        instance.name, instance.score, instance.label = name, score, name + rest
        if instance.spans and instance.spans[-1][1] >= number - 1:
            instance.spans[-1][1] = number
        else:
            instance.spans.append([number, number])
        box = frame.boxes[row].double().numpy()
        area = float((box[2] - box[0]) * (box[3] - box[1]))
        if image is not None and area > 1.2 * instance.area:
            instance.area, instance.thumb = area, _thumbnail(image, box)
        if picture is not None:
            outlines = [] if frame.masks is None else _outlines(frame.masks[row], scale)
            corners = [round(value, 1) for value in (box * scale).tolist()]
            instance.seen[picture] = {"box": corners, "polygons": outlines}


def _outlines(mask: np.ndarray, scale: float) -> list[list[float]]:
    """Outlines of a mask, holes too, as x, y, x, y, ... of the picture."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    simple = (cv2.approxPolyDP(contour, 0.5 / scale, closed=True) for contour in contours)
    return [
        [round(float(value) * scale, 1) for value in outline.reshape(-1)]
        for outline in simple
        if len(outline) > 2
    ]


def _thumbnail(image: np.ndarray, box: np.ndarray) -> str:
    height, width = image.shape[:2]
    x1, y1 = (max(int(value), 0) for value in box[:2])
    x2, y2 = min(math.ceil(box[2]), width), min(math.ceil(box[3]), height)
    part = image[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)]
    shrink = THUMB_SIZE / max(part.shape[:2])
    size = [max(round(side * shrink), 1) for side in part.shape[1::-1]]
    return _jpeg(cv2.resize(part, size, interpolation=cv2.INTER_AREA))


def _best_overlaps(found: FrameResults, true: FrameResults) -> list[float]:
    """IoU of each annotated mask with the found one that is nearest to it."""
    if not len(found) or found.counts is None:
        return [0.0] * len(true)
    if not len(true):
        return []
    return mask_utils.iou(found.rles(), true.rles(), [0] * len(true)).max(0).tolist()


def _worst_frames(overlaps: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Frames with the lowest mean IoU."""
    by_frame: dict[int, list[float]] = {}
    for number, iou in overlaps:
        by_frame.setdefault(number, []).append(iou)
    means = [(number, float(np.mean(ious))) for number, ious in by_frame.items()]
    return sorted(means, key=lambda pair: pair[1])[:NUM_WORST]


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
            "thumb": instance.thumb,
            "spans": instance.spans,
            "seen": instance.seen,
        }
        for identity, instance in rows
    ]


def _jpeg(image: np.ndarray) -> str:
    """JPEG of an RGB image in base64."""
    bgr, quality = cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    return base64.b64encode(cv2.imencode(".jpg", bgr, quality)[1].tobytes()).decode()
