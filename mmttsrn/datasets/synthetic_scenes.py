"""Scenes of textured shapes that move over a textured ground and hide one another."""

from dataclasses import dataclass

import cv2
import numpy as np

CLASSES = ("disc", "square", "triangle", "star")
_TEXTURE_SIZE = 64
_SUBPIXEL_BITS = 4  # fractional bits of cv2's fixed-point coordinates


@dataclass(frozen=True)
class MovingObject:
    """One object: shape, texture and its pose in every frame.

    Attributes:
        label: Index into ``CLASSES``.
        texture: (64, 64, 3) uint8, glued to the object.
        centers: (T, 2) xy pixels.
        angles: (T,) radians.
        radii: (T,) pixels.
    """

    label: int
    texture: np.ndarray
    centers: np.ndarray
    angles: np.ndarray
    radii: np.ndarray


def render_clip(
    objects: list[MovingObject], num_frames: int, size: tuple[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Paints the objects back to front, the last one nearest.

    Args:
        objects: Objects from far to near.
        num_frames: T.
        size: Height and width in pixels.
        rng: Draws background, light and noise.

    Returns:
        Frames (T, H, W, 3) uint8 BGR and visible masks (T, objects, H, W) bool.
    """
    height, width = size
    background = _draw_background(rng, (height * 2, width * 2))
    drift = rng.uniform(-0.3, 0.3, 2) * (height, height) / max(num_frames - 1, 1)  # xy per frame
    light = 1 + 0.08 * np.sin(np.linspace(0, rng.uniform(1, 6), num_frames) + rng.uniform(0, 6))
    frames = np.empty((num_frames, height, width, 3), np.uint8)
    masks = np.zeros((num_frames, len(objects), height, width), bool)
    for t in range(num_frames):
        shift = np.array([[1, 0, -width / 2], [0, 1, -height / 2]])
        shift[:, 2] += drift * t
        image = cv2.warpAffine(background, shift, (width, height)).astype(np.float32)
        for index, moving in enumerate(objects):
            alpha = _coverage(moving, t, size)  # H*W
            image += (_warp_texture(moving, t, size) - image) * alpha[..., None]
            masks[t, :index] &= alpha < 0.5
            masks[t, index] = alpha >= 0.5
        image = image * light[t] + rng.normal(0, 3, image.shape)
        frames[t] = np.clip(image, 0, 255).astype(np.uint8)
    return frames, masks


def draw_object(
    rng: np.random.Generator, label: int, num_frames: int, size: tuple[int, int], stays: bool
) -> MovingObject:
    """Draws texture and path; ``stays`` keeps the centre inside the frame throughout."""
    height, width = size
    phase = np.linspace(0, 1, num_frames)  # T
    extent = np.array([width, height], float)
    ends = rng.uniform(0.2, 0.8, (2, 2)) * extent
    if not stays and rng.random() < 0.6:
        # One end of the path lies off the frame: the object enters or leaves.
        outside = rng.uniform(0.1, 0.9, 2) * extent
        axis = rng.integers(2)
        outside[axis] = rng.choice([-0.25, 1.25]) * extent[axis]
        ends[rng.integers(2)] = outside
    bend = rng.uniform(-0.25, 0.25, 2) * extent
    centers = ends[0] + (ends[1] - ends[0]) * phase[:, None]  # T*2
    centers = centers + bend * np.sin(np.pi * phase)[:, None]
    if stays:
        centers = np.clip(centers, 0.12 * extent, 0.88 * extent)
    pulse = 1 + rng.uniform(0, 0.25) * np.sin(2 * np.pi * (phase * rng.uniform(0.5, 1.5)))
    return MovingObject(
        label=label,
        texture=_draw_texture(rng),
        centers=centers,
        angles=rng.uniform(0, 2 * np.pi) + rng.uniform(-2.5, 2.5) * phase,
        radii=rng.uniform(0.16, 0.30) * height * pulse,
    )


def _draw_texture(rng: np.random.Generator) -> np.ndarray:
    """Two strong colours in stripes, checks or blobs, (64, 64, 3) uint8."""
    y, x = np.mgrid[:_TEXTURE_SIZE, :_TEXTURE_SIZE] / _TEXTURE_SIZE
    waves = rng.integers(2, 6)
    pattern = rng.integers(3)
    if pattern == 0:
        mix = np.sin(2 * np.pi * waves * x) > 0
    elif pattern == 1:
        mix = (np.sin(np.pi * waves * x) > 0) ^ (np.sin(np.pi * waves * y) > 0)
    else:
        mix = _smooth_noise(rng, (_TEXTURE_SIZE, _TEXTURE_SIZE), waves + 2) > 0.5
    hue = rng.uniform(0, 180)
    hues = np.array([hue, hue + rng.uniform(15, 60)]) % 180
    hsv = np.stack([hues, rng.uniform(140, 255, 2), rng.uniform(150, 255, 2)], axis=-1)  # 2*3
    colors = cv2.cvtColor(hsv[None].astype(np.uint8), cv2.COLOR_HSV2BGR)[0]
    return cv2.GaussianBlur(colors[mix.astype(int)], (3, 3), 0)


def _draw_background(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Muted cloud of several scales with a few soft blots, (H, W, 3) uint8."""
    cloud = np.zeros((*size, 3))
    for cells, weight in ((4, 1.0), (12, 2.0), (40, 3.0)):
        cloud += _smooth_noise(rng, size, cells)[..., None] * rng.uniform(0.3, 1, 3) / weight
    cloud = (cloud - cloud.min()) / np.ptp(cloud)
    return (rng.uniform(20, 60) + rng.uniform(90, 140) * cloud).astype(np.uint8)


def _smooth_noise(rng: np.random.Generator, size: tuple[int, int], cells: int) -> np.ndarray:
    """Noise in [0, 1] with about ``cells`` blobs along the longer side, (H, W) float64."""
    scale = cells / max(size)
    grid = rng.random([max(int(np.ceil(side * scale)), 2) for side in size])
    return np.clip(cv2.resize(grid, size[::-1], interpolation=cv2.INTER_CUBIC), 0, 1)


def _outline(label: int) -> np.ndarray:
    """Corners of the unit shape, (P, 2); the four shapes have about the same area."""
    corners, scales = {
        "disc": (48, (1.0,)),
        "square": (4, (1.25,)),
        "triangle": (3, (1.5,)),
        "star": (10, (1.5, 0.62)),
    }[CLASSES[label]]
    angles = 2 * np.pi * np.arange(corners) / corners
    radii = np.resize(scales, corners)
    return radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def _pose(moving: MovingObject, t: int) -> np.ndarray:
    """Affine matrix from unit-shape to pixel coordinates, (2, 3)."""
    cos, sin = np.cos(moving.angles[t]), np.sin(moving.angles[t])
    turn = moving.radii[t] * np.array([[cos, -sin], [sin, cos]])
    return np.concatenate([turn, moving.centers[t][:, None]], axis=1)


def _coverage(moving: MovingObject, t: int, size: tuple[int, int]) -> np.ndarray:
    """Share of each pixel that the shape covers, (H, W) float32 in [0, 1]."""
    pose = _pose(moving, t)
    points = _outline(moving.label) @ pose[:, :2].T + pose[:, 2]
    fixed = np.rint(points * 2**_SUBPIXEL_BITS).astype(np.int32)
    canvas = np.zeros(size, np.uint8)
    cv2.fillPoly(canvas, [fixed], 255, lineType=cv2.LINE_AA, shift=_SUBPIXEL_BITS)
    return canvas.astype(np.float32) / 255


def _warp_texture(moving: MovingObject, t: int, size: tuple[int, int]) -> np.ndarray:
    """Return the object's texture in its pose of frame t, (H, W, 3) float32."""
    to_unit = np.array([[3 / _TEXTURE_SIZE, 0, -1.5], [0, 3 / _TEXTURE_SIZE, -1.5], [0, 0, 1]])
    matrix = _pose(moving, t) @ to_unit
    warped = cv2.warpAffine(moving.texture, matrix, size[::-1], borderMode=cv2.BORDER_REFLECT_101)
    return warped.astype(np.float32)
