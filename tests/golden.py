"""Golden data in ``tests/data/golden``: what the reference programs compute, and from what."""

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

ROOT = Path(__file__).parent / "data" / "golden"


def load_arrays(name: str) -> dict[str, Tensor]:
    """Stored arrays of an npz file, by key."""
    with np.load(ROOT / name) as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays.files}


def load_json(name: str) -> dict[str, Any]:
    """Content of a json file."""
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


def draw_arrays(name: str, group: str = "params") -> dict[str, Tensor]:
    """Arrays that a recipe file describes: weights (``"params"``) or inputs (``"inputs"``).

    Each is ``offset + scale * z`` with z standard normal, drawn from a generator that is seeded by
    the array's name. Raises ``ValueError`` when an array is not the one the recipe recorded.
    """
    recipe = load_json(name)
    arrays = {}
    for key, shape, scale, offset in recipe[group]:
        generator = np.random.default_rng(zlib.crc32((recipe["salt"] + key).encode()))
        z = generator.standard_normal(shape).astype(np.float32)
        array = np.float32(offset) + np.float32(scale) * z
        if zlib.crc32(array.astype("<f4").tobytes()) != recipe["checks"].get(key):
            raise ValueError(f"{name}: array {key} differs from the recorded one")
        arrays[key] = torch.from_numpy(array)
    return arrays
