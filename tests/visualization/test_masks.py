import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from pycocotools import mask as coco_mask

from mmttsrn.visualization.masks import as_bool_masks


@pytest.fixture
def masks():
    masks = np.zeros((2, 6, 9), dtype=bool)
    masks[0, 1:3, 2:5] = True
    masks[1, 4:, :] = True
    return masks


def _compressed(mask, text):
    rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": rle["size"], "counts": rle["counts"].decode() if text else rle["counts"]}


@pytest.mark.parametrize(
    "convert",
    [
        torch.as_tensor,
        lambda masks: torch.as_tensor(masks).float(),
        np.asarray,
        lambda masks: BitmapMasks(masks.astype(np.uint8), 6, 9),
        lambda masks: [_compressed(mask, text=True) for mask in masks],
        lambda masks: [_compressed(mask, text=False) for mask in masks],
    ],
)
def test_all_forms_give_the_same_masks(masks, convert):
    result = as_bool_masks(convert(masks), 6, 9)
    assert result.dtype == bool
    assert np.array_equal(result, masks)


@pytest.mark.parametrize("empty", [[], torch.zeros(0, 6, 9), np.zeros((0, 6, 9))])
def test_no_instances(empty):
    assert as_bool_masks(empty, 6, 9).shape == (0, 6, 9)


def test_null_is_an_empty_mask(masks):
    decoded = as_bool_masks([None, _compressed(masks[1], text=True)], 6, 9)
    assert not decoded[0].any()
    assert np.array_equal(decoded[1], masks[1])


@pytest.mark.parametrize(
    "convert", [torch.as_tensor, lambda masks: [_compressed(mask, text=True) for mask in masks]]
)
def test_masks_of_another_size(masks, convert):
    with pytest.raises(ValueError, match="6 x 9 but the frame has 9 x 6"):
        as_bool_masks(convert(masks), 9, 6)
