"""One well separated colour per instance id, fixed for the life of the id."""

from functools import lru_cache

import cv2
import numpy as np

PALETTE_SIZE = 128
_GRID_STEP = 15  # 18 levels per RGB channel
_LIGHTNESS_RANGE = (58.0, 90.0)  # CIE L*: neither black nor white
_MIN_CHROMA = 40.0  # not grey: the colour stands out from most video


@lru_cache(maxsize=1)
def instance_palette() -> np.ndarray:
    """Colours in the order of greatest separation.

    Farthest-point sampling in CIE Lab: every colour is as far as possible from all before it, so
    that instances with small ids, the usual case, are the easiest to tell apart.

    Returns:
        RGB colours of shape (128, 3), uint8, read-only.
    """
    levels = np.arange(0, 256, _GRID_STEP, dtype=np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, 1, 3)
    lab = cv2.cvtColor(grid.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[:, 0]  # (grid, 3)
    low, high = _LIGHTNESS_RANGE
    usable = (lab[:, 0] >= low) & (lab[:, 0] <= high)
    usable &= np.linalg.norm(lab[:, 1:], axis=1) >= _MIN_CHROMA
    grid, lab = grid[usable, 0], lab[usable]

    chosen = [int(np.argmax(lab[:, 1]))]  # starts at the strongest red-magenta
    distance = np.linalg.norm(lab - lab[chosen[0]], axis=1)
    while len(chosen) < PALETTE_SIZE:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(lab - lab[chosen[-1]], axis=1))
    palette = grid[chosen]
    palette.setflags(write=False)
    return palette


def instance_color(instance_id: int) -> tuple[int, int, int]:
    """RGB colour of an instance id; depends on the id alone, repeats after 128 ids."""
    red, green, blue = instance_palette()[int(instance_id) % PALETTE_SIZE]
    return int(red), int(green), int(blue)


def text_color(background: tuple[int, int, int]) -> tuple[int, int, int]:
    """Black or white, whichever reads better on the RGB ``background``."""
    red, green, blue = background
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return (0, 0, 0) if luma > 128 else (255, 255, 255)
