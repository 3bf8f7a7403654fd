"""Text in characters that OpenCV cannot draw, by Pillow."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, features

from mmttsrn.formats.fonts import text_runs

# The line goes from left to right, whatever the direction of a name in it; without Raqm, Pillow
# knows no other direction.
_DIRECTION = "ltr" if features.check("raqm") else None


def text_size(text: str, size: int) -> tuple[int, int, int]:
    """Width of a text, its height above the baseline and that below it, in pixels.

    Args:
        text: One that :func:`~mmttsrn.formats.fonts.drawable` has given.
        size: Height of the fonts in pixels.
    """
    fonts = [_font(path, size) for path, _ in text_runs(text)]
    metrics = np.array([font.getmetrics() for font in fonts]).reshape(-1, 2)
    above, below = metrics.max(axis=0, initial=0).tolist()
    return _advances(text, size)[-1], above, below


def draw_text(
    canvas: np.ndarray, text: str, origin: tuple[int, int], color: tuple[int, int, int], size: int
) -> None:
    """Draw a text on an RGB image (H, W, 3), uint8, in place.

    Args:
        canvas: The image.
        text: See :func:`text_size`.
        origin: x and y of the beginning of its baseline.
        color: RGB.
        size: See :func:`text_size`.
    """
    image = Image.fromarray(canvas)
    draw = ImageDraw.Draw(image)
    x, y = origin
    for (path, run), advance in zip(text_runs(text), _advances(text, size), strict=False):
        place = (x + advance, y)
        font = _font(path, size)
        draw.text(place, run, fill=color, font=font, anchor="ls", direction=_DIRECTION)
    canvas[:] = np.asarray(image)


def _advances(text: str, size: int) -> list[int]:
    """Where each run of a text begins, and where the last one ends."""
    widths = [
        _font(path, size).getlength(run, direction=_DIRECTION) for path, run in text_runs(text)
    ]
    return np.ceil(np.cumsum([0, *widths])).astype(int).tolist()


@lru_cache(64)
def _font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size)
