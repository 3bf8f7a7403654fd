import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from pycocotools import mask as coco_mask

from mmttsrn.visualization.masks import as_bool_masks, decode_rle


@pytest.fixture
def masks():
    masks = np.zeros((2, 6, 9), dtype=bool)
    masks[0, 1:3, 2:5] = True
    masks[1, 4:, :] = True
    return masks


def _compressed(mask, text):
    rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": rle["size"], "counts": rle["counts"].decode() if text else rle["counts"]}


def _uncompressed(mask):
    flat = np.concatenate([[False], mask.ravel(order="F")])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    counts = np.diff(np.concatenate([[0], changes, [mask.size]]))
    return {"size": list(mask.shape), "counts": counts.tolist()}


@pytest.mark.parametrize(
    "convert",
    [
        torch.as_tensor,
        lambda masks: torch.as_tensor(masks).float(),
        np.asarray,
        lambda masks: BitmapMasks(masks.astype(np.uint8), 6, 9),
        lambda masks: [_compressed(mask, text=True) for mask in masks],
        lambda masks: [_compressed(mask, text=False) for mask in masks],
        lambda masks: [_uncompressed(mask) for mask in masks],
    ],
)
def test_all_forms_give_the_same_masks(masks, convert):
    result = as_bool_masks(convert(masks), 6, 9)
    assert result.dtype == bool
    assert np.array_equal(result, masks)


@pytest.mark.parametrize("empty", [[], torch.zeros(0, 6, 9), np.zeros((0, 6, 9))])
def test_no_instances(empty):
    assert as_bool_masks(empty, 6, 9).shape == (0, 6, 9)


def test_null_is_an_empty_mask():
    assert not decode_rle(None, 6, 9).any()


def test_decoding_does_not_change_the_rle(masks):
    rle = _uncompressed(masks[0])
    decode_rle(rle, 6, 9)
    assert rle == _uncompressed(masks[0])


@pytest.mark.parametrize(
    ("value", "exception", "message"),
    [
        (torch.zeros(1, 5, 9), ValueError, "5 x 9 but the frame has 6 x 9"),
        ([{"size": [9, 6], "counts": [54]}], ValueError, r"size \[9, 6\], expected"),
        (3, TypeError, "masks are int"),
    ],
)
def test_wrong_masks(value, exception, message):
    with pytest.raises(exception, match=message):
        as_bool_masks(value, 6, 9)
