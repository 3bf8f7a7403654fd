import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as mask_utils

from mmttsrn.formats.intervals import RunLengthError, decode_intervals, intersections

HEIGHT, WIDTH = 5, 7
masks = st.one_of(
    st.none(),
    st.lists(st.booleans(), min_size=HEIGHT * WIDTH, max_size=HEIGHT * WIDTH),
    st.sampled_from([[False] * 35, [True] * 35, [True] * 34 + [False], [False] * 34 + [True]]),
)


def encode(mask: list[bool] | None) -> str | None:
    if mask is None:
        return None
    pixels = np.array(mask, np.uint8).reshape(HEIGHT, WIDTH, order="F")
    return mask_utils.encode(np.asfortranarray(pixels))["counts"].decode()


def dense(mask: list[bool] | None) -> np.ndarray:
    return np.zeros(HEIGHT * WIDTH, bool) if mask is None else np.array(mask)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(masks, masks), min_size=1, max_size=4))
def test_intervals_and_intersections_are_those_of_dense_masks(pairs: list) -> None:
    sequences = [[encode(pair[i]) for pair in pairs] for i in (0, 1)]
    decoded = decode_intervals(sequences, len(pairs), HEIGHT * WIDTH)
    everything = [mask for i in (0, 1) for mask in (dense(pair[i]) for pair in pairs)]
    assert decoded.areas.ravel().tolist() == [mask.sum() for mask in everything]
    for t, mask in enumerate(everything):
        pixels = np.zeros(HEIGHT * WIDTH, bool)
        start, stop = decoded.first[t : t + 2]
        for begin, end in decoded.intervals[start:stop].tolist():
            assert begin < end
            assert not pixels[max(begin - 1, 0) : end + 1].any()  # neither shared nor adjacent
            pixels[begin:end] = True
        assert np.array_equal(pixels, mask)
    shared = [(dense(pair[0]) & dense(pair[1])).sum() for pair in pairs]
    pairs_of_sequences = np.array([[0, 1], [1, 0], [1, 1]])
    found = intersections(decoded, pairs_of_sequences)
    assert found.tolist() == [shared, shared, [dense(pair[1]).sum() for pair in pairs]]


def test_large_numbers() -> None:
    """Positions above 2**31, which take several characters, and empty runs."""
    size = [60_000, 70_000]
    num_pixels = size[0] * size[1]
    runs = [3_000_000_000, 5, 0, 7, num_pixels - 3_000_000_016, 0, 1, 3]
    text = compress(runs)
    decoded = decode_intervals([[text, None]], 2, num_pixels)
    last = [num_pixels - 3, num_pixels]
    assert decoded.intervals.tolist() == [[3_000_000_000, 3_000_000_012], last]
    assert decoded.areas.tolist() == [[15, 0]]
    assert intersections(decoded, np.array([[0, 0]])).tolist() == [[15, 0]]


def compress(runs: list[int]) -> str:
    """The format written out: 5 bits a character, differences from the fourth run on."""
    text = ""
    for index, run in enumerate(runs):
        number = run - runs[index - 2] if index > 2 else run
        more = True
        while more:
            bits = number & 31
            number >>= 5
            more = number != (-1 if bits & 16 else 0)
            text += chr(48 + bits + 32 * more)
    return text


@pytest.mark.parametrize(
    ("counts", "frame", "problem"),
    [
        (["", None], 0, "empty or cut off"),
        ([None, "P"], 1, "cut off"),
        ([None, "1o"], 1, "cut off"),
        (["é"], 0, "not a compressed COCO RLE"),
        (["\ud800"], 0, "not a compressed COCO RLE"),
        (["1 1"], 0, "not a compressed COCO RLE"),
        (["1\n1"], 0, "not a compressed COCO RLE"),
        (["PPPPPPPPPPPPPPPPPP1"], 0, "not a compressed COCO RLE"),
        (["9O1"], 0, "negative run"),
        ([None, None, "9"], 2, "expected 35 (height x width), got 9"),
        (["S2"], 0, "expected 35 (height x width), got 67 or more"),
    ],
)
def test_broken_encodings_are_named(counts: list[str | None], frame: int, problem: str) -> None:
    with pytest.raises(RunLengthError) as caught:
        decode_intervals([counts], len(counts), HEIGHT * WIDTH)
    assert (caught.value.sequence, caught.value.frame) == (0, frame)
    assert problem in caught.value.problem
