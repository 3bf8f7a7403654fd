import numpy as np
import pytest
from pycocotools import mask as mask_utils

from mmttsrn.formats.rle import encode_segmentation


def random_mask(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 60, 2)
    return (rng.random((height, width)) < rng.uniform(0, 1)).astype(np.uint8)


def runs_of(mask: np.ndarray) -> list[int]:
    """Run lengths by definition: column by column, zeros first."""
    runs, value, length = [], 0, 0
    for pixel in mask.ravel(order="F").tolist():
        if pixel == value:
            length += 1
        else:
            runs.append(length)
            value, length = pixel, 1
    return [*runs, length]


@pytest.mark.parametrize("seed", range(20))
def test_all_forms_of_a_mask_become_the_same_compressed_rle(seed: int) -> None:
    mask = random_mask(seed)
    height, width = map(int, mask.shape)
    compressed = mask_utils.encode(np.asfortranarray(mask))["counts"].decode()
    expected = {"size": [height, width], "counts": compressed}
    for counts in (runs_of(mask), [float(run) for run in runs_of(mask)], compressed):
        segmentation = {"size": [height, width], "counts": counts}
        assert encode_segmentation(segmentation, height, width) == expected


def test_polygons_are_merged() -> None:
    left = [0.0, 0.0, 4.0, 0.0, 4.0, 8.0, 0.0, 8.0]
    right = [8.0, 0.0, 12.0, 0.0, 12.0, 8.0, 8.0, 8.0]
    mask = mask_utils.decode(encode_segmentation([left, right], 10, 20))
    assert mask.shape == (10, 20)
    assert mask[:8, :4].all()
    assert mask[:8, 8:12].all()
    assert mask.sum() == 64


def test_polygons_may_leave_the_frame() -> None:
    around = [-50.0, -50.0, 50.0, -50.0, 50.0, 50.0, -50.0, 50.0]
    assert mask_utils.decode(encode_segmentation([around], 5, 4)).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("coordinate", [1e200, float("inf"), float("nan")])
def test_huge_coordinates_are_refused_without_a_warning(coordinate: float) -> None:
    with pytest.raises(ValueError, match="is not from -100 to 100"):
        encode_segmentation([[0, 0, 5, 0, 5, coordinate]], 10, 10)
