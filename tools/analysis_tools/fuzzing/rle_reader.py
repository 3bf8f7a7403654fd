"""Random masks for the functions that read them."""

import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pycocotools import mask as mask_utils

from fuzzing.harness import Reader
from fuzzing.inputs import COUNTS, NUMBERS, TEXTS, VALUES, Input, require
from mmttsrn.formats.encoded_masks import EncodedMasks, pack_masks
from mmttsrn.formats.intervals import RunLengthError, decode_intervals, intersections
from mmttsrn.formats.rle import encode_segmentation
from mmttsrn.formats.youtube_vis_json import MAX_SIDE

SIDES = st.one_of(st.integers(1, 20), st.sampled_from([1, 255, 1000, 2048, MAX_SIDE]))


def rle_reader(folder: Path) -> Reader:
    """Return the reader of masks; an input is a json file with the arguments of a call."""
    inputs = st.one_of(_segmentations(), _intervals(), _packed())
    return Reader("rle", inputs.map(_as_input), _read, _vary)


def _as_input(call: tuple[str, list[Any]]) -> Input:
    return Input(f"{call[0]}.json", json.dumps(call[1]).encode())


def _vary(item: Input, random: Random) -> Input:
    """Change characters of strings and numbers in lists."""

    def change(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: change(inner) for key, inner in value.items()}
        if isinstance(value, list):
            found = [change(inner) for inner in value]
            is_deep = found and random.random() < 0.1 and type(found[0]) in (int, float)
            return [*found, random.choice(found)] if is_deep else found
        if random.random() < 0.6:
            return value
        if isinstance(value, str) and value:
            at = random.randrange(len(value))
            middle = random.choice(["", chr(random.randint(47, 112)), value[at] * 2, value[at:]])
            return value[:at] + middle + value[at + 1 :]
        if isinstance(value, float):
            return random.choice([-value, value * 10, value + 0.5])
        return value

    arguments = json.loads(item.content)
    return item._replace(content=json.dumps([change(arguments[0]), *arguments[1:]]).encode())


def _read(file: Path) -> bool:
    arguments = json.loads(file.read_text())
    return CALLS[file.stem](*arguments)


def _encode(segmentation: Any, height: int, width: int) -> bool:
    try:
        rle = encode_segmentation(segmentation, height, width)
    except (TypeError, ValueError, KeyError, OverflowError):
        return False
    require(rle["size"] == [height, width], "another size")
    masks = decode_intervals([[rle["counts"]]], 1, height * width)
    require(masks.areas[0, 0] == mask_utils.area(rle), "another area")
    return True


def _decode_intervals(sequences: list[list[str | None]], num_pixels: int) -> bool:
    """Decode, and compare all with all."""
    num_frames = len(sequences[0])
    try:
        masks = decode_intervals(sequences, num_frames, num_pixels)
    except RunLengthError as error:
        require(0 <= error.sequence < len(sequences), "no sequence")
        require(0 <= error.frame < num_frames, "no frame")
        return False
    pairs = np.stack(np.indices([len(sequences)] * 2), -1).reshape(-1, 2)
    require((intersections(masks, pairs) >= 0).all(), "negative areas")
    return True


def _pack(segmentations: Any) -> bool:
    packed = pack_masks(segmentations)
    if not isinstance(packed, EncodedMasks):
        return False
    require(len(packed.counts) == len(segmentations), "another number of frames")
    return True


CALLS = {
    "encode": _encode,
    "intervals": _decode_intervals,
    "pack": _pack,
}


def _uncompressed(pixels: int) -> SearchStrategy[list[int]]:
    """Give runs that sum to a number of pixels, mostly."""
    cuts = st.lists(st.integers(0, pixels), max_size=12).map(sorted)
    right = cuts.map(lambda c: [b - a for a, b in zip([0, *c], [*c, pixels], strict=True)])
    return st.one_of(right, right, st.lists(st.one_of(st.integers(0, pixels), NUMBERS), max_size=8))


def _compressed(pixels: int) -> SearchStrategy[str]:
    """Strings that describe a number of pixels, mostly; and others."""
    good = _uncompressed(pixels).map(_compress)
    broken = st.builds(lambda a, b, at: a[:at] + b + a[at + 1 :], good, COUNTS, st.integers(0, 20))
    return st.one_of(good, good, good, broken, COUNTS, TEXTS)


def _compress(runs: list[Any]) -> str:
    """Write numbers as compressed RLE does, whatever they are."""
    runs = [int(n) % 2**36 if isinstance(n, int) or np.isfinite(n) else -1 for n in runs]
    text = ""
    for index, run in enumerate(runs):
        number = run - runs[index - 2] if index > 2 else run
        is_more = True
        while is_more:
            bits, number = number & 31, number >> 5
            is_more = number != (-1 if bits & 16 else 0)
            text += chr(48 + bits + 32 * is_more)
    return text


def _mask(height: int, width: int) -> SearchStrategy[Any]:
    pixels = height * width
    size = st.one_of(st.just([height, width]), st.lists(NUMBERS, max_size=3), VALUES)
    counts = st.one_of(_compressed(pixels), _uncompressed(pixels), VALUES)
    rle = st.fixed_dictionaries({"size": st.just([height, width]), "counts": counts})
    odd = st.fixed_dictionaries({}, optional={"size": size, "counts": counts, "x": VALUES})
    side = 10.0 * max(height, width)
    coordinates = st.one_of(st.floats(-side, side), st.integers(0, width), NUMBERS)
    within = st.lists(st.floats(-side, side), min_size=6, max_size=12)
    polygon = st.one_of(within, st.lists(coordinates, min_size=5, max_size=13))
    polygons = st.one_of(st.lists(polygon, max_size=3), st.lists(st.one_of(polygon, VALUES)))
    return st.one_of(rle, rle, odd, polygons, VALUES)


@st.composite
def _segmentations(draw: Any) -> tuple[str, list[Any]]:
    height, width = draw(SIDES), draw(SIDES)
    width = width if height * width <= 2**27 else 7
    return "encode", [draw(_mask(height, width)), height, width]


@st.composite
def _packed(draw: Any) -> tuple[str, list[Any]]:
    height, width = draw(SIDES), draw(SIDES)
    mask = st.one_of(st.none(), _mask(height, width))
    return "pack", [draw(st.one_of(st.lists(mask, max_size=5), VALUES))]


@st.composite
def _intervals(draw: Any) -> tuple[str, list[Any]]:
    pixels = draw(st.one_of(st.integers(1, 300), st.sampled_from([2**27, 2**32 - 1])))
    good = _uncompressed(pixels).map(_compress)
    frame = draw(st.sampled_from([good, good, _compressed(pixels)])) | st.none()
    num_frames = draw(st.integers(1, 4))
    sequences = st.lists(
        st.lists(frame, min_size=num_frames, max_size=num_frames), min_size=1, max_size=3
    )
    return "intervals", [draw(sequences), pixels]
