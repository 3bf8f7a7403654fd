"""Text labels that stay inside the frame and off one another.

ASCII is drawn by OpenCV, whose font has nothing else, other text in installed fonts.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from mmttsrn.visualization.colors import text_color
from mmttsrn.visualization.truetype import draw_text, text_size

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_PADDING = 2  # pixels between the text and the border of its background
_PIXELS = 29  # height of a TrueType font whose capitals are as high as OpenCV's at scale 1

Rect = tuple[int, int, int, int]  # x1, y1, x2, y2; x2 and y2 exclusive


@dataclass(frozen=True)
class Font:
    """Size of the label text."""

    scale: float  # of OpenCV
    thickness: int  # of the strokes, in pixels

    @classmethod
    def for_frame(cls, height: int, width: int) -> "Font":
        """Font that suits a frame of ``height`` x ``width`` pixels."""
        scale = float(np.clip(min(height, width) / 360 * 0.5, 0.35, 1.5))
        return cls(scale=scale, thickness=2 if scale > 0.8 else 1)

    @property
    def pixels(self) -> int:
        """Height of the font that draws what OpenCV cannot."""
        return round(_PIXELS * self.scale)

    def measure(self, text: str) -> tuple[int, int, int]:
        """Width and height of a padded label, and how far its baseline is from its end."""
        if text.isascii():
            (width, height), baseline = cv2.getTextSize(text, _FONT, self.scale, self.thickness)
        else:
            width, height, baseline = text_size(text, self.pixels)
        return width + 2 * _PADDING, height + baseline + 2 * _PADDING, baseline + _PADDING


def fit_label(name: str, suffix: str, max_width: int, font: Font) -> str:
    """Shorten ``name`` until ``name + suffix`` fits into ``max_width`` pixels.

    Where no letter of the name fits, the suffix is left; empty where even that does not.
    """
    # Numbers after Arabic or Hebrew would go to the left of it and be turned around.
    mark = "" if name.isascii() else "\N{LEFT-TO-RIGHT MARK}"
    label = f"{name}{mark}{suffix}"
    if font.measure(label)[0] <= max_width:
        return label
    for length in range(len(name) - 1, 0, -1):
        label = f"{name[:length]}..{mark}{suffix}"
        if font.measure(label)[0] <= max_width:
            return label
    suffix = suffix.strip()
    return suffix if font.measure(suffix)[0] <= max_width else ""


def _overlap(a: Rect, b: Rect) -> int:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0)


def place_label(
    size: tuple[int, int], box: Rect, frame: tuple[int, int], taken: list[Rect]
) -> Rect:
    """Find the place of a label: above its box if that is free, else the nearest free place.

    Args:
        size: Width and height of the label; not larger than the frame.
        box: Box of the instance.
        frame: Height and width of the frame.
        taken: Rectangles of the labels placed before.

    Returns:
        A rectangle of that size inside the frame, with the least possible overlap with ``taken``.
    """
    width, height = size
    frame_height, frame_width = frame
    x1, y1, x2, y2 = box
    grid = [
        (column, row)
        for row in range(0, frame_height - height + 1, height)
        for column in range(0, frame_width - width + 1, width)
    ]
    anchors = [
        *[(x1, y1 - height), (x1, y2), (x2 - width, y1 - height), (x2 - width, y2)],  # outside
        *[(x1, y1), (x1, y2 - height)],  # inside
        *sorted(grid, key=lambda place: abs(place[0] - x1) + abs(place[1] - y1)),
    ]
    rects = []
    for x, y in anchors:
        x = min(max(x, 0), frame_width - width)
        y = min(max(y, 0), frame_height - height)
        rects.append((x, y, x + width, y + height))
    # The first of the best: the order of the anchors decides between free places.
    return min(rects, key=lambda rect: sum(_overlap(rect, other) for other in taken))


def draw_label(
    canvas: np.ndarray, text: str, rect: Rect, color: tuple[int, int, int], font: Font
) -> None:
    """Write ``text`` on a filled rectangle of the RGB ``canvas`` (H, W, 3), in place."""
    x1, y1, x2, y2 = rect
    canvas[y1:y2, x1:x2] = color
    baseline = font.measure(text)[2]
    origin = (x1 + _PADDING, y2 - baseline)
    ink = text_color(color)
    if text.isascii():
        cv2.putText(canvas, text, origin, _FONT, font.scale, ink, font.thickness, cv2.LINE_AA)
    else:
        origin = (_PADDING, y2 - y1 - baseline)
        draw_text(canvas[y1:y2, x1:x2], text, origin, ink, font.pixels)
