"""Drawing of instances on a frame with OpenCV: plain functions from arrays to arrays.

OpenCV draws a frame about a hundred times faster than matplotlib does, which matters for videos.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mmttsrn.formats.fonts import drawable
from mmttsrn.structures import FrameResults
from mmttsrn.visualization.colors import instance_color
from mmttsrn.visualization.labels import Font, Rect, draw_label, fit_label, place_label


@dataclass(frozen=True)
class OverlayStyle:
    """Look of an overlay.

    Attributes:
        alpha: Opacity of the masks, 0 (invisible) to 1 (opaque).
        line_width: Width of contours and boxes in pixels of the drawn frame.
        min_side: A frame whose short side is below this many pixels is enlarged by the least
            whole factor that reaches it, so that labels stay legible; 0 never enlarges.
    """

    alpha: float = 0.45
    line_width: int = 2
    min_side: int = 360

    def __post_init__(self) -> None:
        if not (0 <= self.alpha <= 1 and self.line_width >= 1):
            raise ValueError(f"{self}: expected alpha from 0 to 1 and line_width of 1 or more")

    def zoom(self, height: int, width: int) -> int:
        """Whole factor by which a frame of ``height`` x ``width`` is enlarged."""
        return max(1, -(-self.min_side // min(height, width)))


def caption(frame: FrameResults, row: int) -> tuple[str, str]:
    """Class name and the rest of the label, ``" score #id"``, of one instance."""
    score = "" if frame.scores is None else f" {frame.scores[row]:.2f}"
    return frame.names[row], f"{score} #{int(frame.instance_ids[row])}"


def drawing_order(frame: FrameResults) -> list[int]:
    """Rows of the instances with a mask, or a box without masks, the highest score first."""
    if frame.masks is not None:
        is_visible = frame.masks.any((1, 2))
    else:
        is_visible = (frame.boxes[:, 2:] > frame.boxes[:, :2]).all(1).numpy()
    rows = np.flatnonzero(is_visible).tolist()
    scores = None if frame.scores is None else frame.scores.tolist()
    return rows if scores is None else sorted(rows, key=lambda row: -scores[row])


def draw_masks(
    canvas: np.ndarray, masks: np.ndarray, ids: Sequence[int], style: OverlayStyle
) -> None:
    """Draw translucent masks with contours, in place; later masks lie over earlier ones.

    Args:
        canvas: RGB frame (zoom * H, zoom * W, 3), uint8.
        masks: Masks (n, H, W), bool.
        ids: n instance ids.
        style: Look of the overlay.
    """
    height, width = canvas.shape[:2]
    for mask, instance_id in zip(masks, ids, strict=True):
        color = instance_color(instance_id)
        drawn = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
        x, y, w, h = cv2.boundingRect(drawn)
        if not w:
            continue
        region, inside = canvas[y : y + h, x : x + w], drawn[y : y + h, x : x + w]
        # Blended values of each value and channel, as a table: that is ten times faster.
        values = (1 - style.alpha) * np.arange(256)[:, None] + style.alpha * np.asarray(color)
        blended = cv2.LUT(region, np.rint(values).astype(np.uint8).reshape(256, 1, 3))
        region[:] = cv2.copyTo(blended, inside, region.copy())
        contours, _ = cv2.findContours(drawn, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(canvas, contours, -1, color, style.line_width)


class Trails:
    """Where the instances of a video have been lately, frame by frame.

    Args:
        length: Frames that a trail goes back.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self._points: dict[int, deque[tuple[int, tuple[float, float]]]] = {}
        self._frame = 0

    def add(self, frame: FrameResults) -> None:
        """Take in the next frame: the centres of the boxes of what is visible in it."""
        self._frame += 1
        for row in drawing_order(frame):
            x1, y1, x2, y2 = frame.boxes[row].tolist()
            points = self._points.setdefault(int(frame.instance_ids[row]), deque())
            points.append((self._frame, ((x1 + x2) / 2, (y1 + y2) / 2)))
        for identity, points in list(self._points.items()):
            while points and points[0][0] <= self._frame - self.length:
                points.popleft()
            if not points:
                del self._points[identity]

    def draw(self, canvas: np.ndarray, zoom: int, line_width: int) -> None:
        """Draw a line for each instance, in place; where it was hidden, the line is straight."""
        for identity, points in self._points.items():
            line = np.rint([point for _, point in points]).astype(np.int32) * zoom
            color = instance_color(identity)
            cv2.polylines(canvas, [line[:, None]], False, color, line_width, cv2.LINE_AA)


def draw_instances(
    image: np.ndarray,
    frame: FrameResults,
    style: OverlayStyle | None = None,
    trails: Trails | None = None,
) -> np.ndarray:
    """Draw masks, boxes and labels ``class score #id`` of the instances of one frame.

    Instances whose mask is empty in this frame (or whose box is, if there are no masks) are left
    out. A higher score lies on top.

    Args:
        image: RGB frame (H, W, 3), uint8; not changed.
        frame: What to draw, in pixels of ``image``.
        style: Look of the overlay.
        trails: Where the instances have been; the frame is added to it.

    Returns:
        RGB frame (zoom * H, zoom * W, 3), uint8; zoom is ``style.zoom(H, W)``.
    """
    style = style or OverlayStyle()
    zoom = style.zoom(*image.shape[:2])
    canvas = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    order = drawing_order(frame)
    if frame.masks is not None:
        bottom_up = order[::-1]
        ids = frame.instance_ids[bottom_up].tolist()
        draw_masks(canvas, frame.masks[bottom_up], ids, style)
    boxes = {row: _drawn_box(frame, row, zoom, canvas.shape) for row in order}
    for row in reversed(order):
        x1, y1, x2, y2 = boxes[row]
        corner = (max(x2 - 1, x1), max(y2 - 1, y1))
        color = instance_color(int(frame.instance_ids[row]))
        cv2.rectangle(canvas, (x1, y1), corner, color, style.line_width)
    if trails is not None:
        trails.add(frame)
        trails.draw(canvas, zoom, style.line_width)
    _draw_labels(canvas, frame, boxes)
    return canvas


def _drawn_box(frame: FrameResults, row: int, zoom: int, shape: tuple[int, ...]) -> Rect:
    """Box of one instance in pixels of the drawn frame, cut at its border."""
    box = np.rint(frame.boxes[row].double().numpy() * zoom).astype(int)
    height, width = shape[:2]
    x1, x2 = np.clip(box[[0, 2]], 0, width)
    y1, y2 = np.clip(box[[1, 3]], 0, height)
    return int(x1), int(y1), int(x2), int(y2)


def _draw_labels(canvas: np.ndarray, frame: FrameResults, boxes: dict[int, Rect]) -> None:
    """Place labels in order of score, so that the best ones get the best places, then draw them."""
    height, width = canvas.shape[:2]
    font = Font.for_frame(height, width)
    taken: list[Rect] = []
    for row, box in boxes.items():
        name, rest = caption(frame, row)
        text = fit_label(drawable(name), rest, max_width=width, font=font)
        label_width, label_height, _ = font.measure(text)
        if not text or label_height > height:
            continue
        rect = place_label((label_width, label_height), box, (height, width), taken)
        taken.append(rect)
        draw_label(canvas, text, rect, instance_color(int(frame.instance_ids[row])), font)
