import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData
from pycocotools import mask as coco_mask

from mmttsrn.formats.frames import read_frame
from mmttsrn.hosts.mmdet import VISLocalVisualizer
from mmttsrn.visualization.colors import instance_color

HEIGHT, WIDTH = 96, 160
CENTERS = ((60, 40), (60, 120))  # row, column inside each mask


@pytest.fixture
def image():
    return np.full((HEIGHT, WIDTH, 3), 50, dtype=np.uint8)


@pytest.fixture
def visualizer():
    visualizer = VISLocalVisualizer(min_side=0)
    visualizer.dataset_meta = {"classes": ("cat", "dog")}
    return visualizer


def _masks():
    masks = torch.zeros(2, HEIGHT, WIDTH, dtype=torch.bool)
    masks[0, 40:80, 20:60] = True
    masks[1, 40:80, 100:140] = True
    return masks


def _instances(ids_key="instances_id", **fields):
    instances = InstanceData()
    instances[ids_key] = torch.tensor([3, 8])
    instances.labels = torch.tensor([0, 1])
    instances.masks = _masks()
    instances.bboxes = torch.tensor([[20.0, 40, 60, 80], [100, 40, 140, 80]])
    for key, value in fields.items():
        instances[key] = value
    return instances


def _drawn(image, picture):
    """Whether each of the two masks was drawn, in the color of its id."""
    flags = []
    for center, instance_id in zip(CENTERS, (3, 8), strict=True):
        expected = np.rint(0.55 * image[center] + 0.45 * np.array(instance_color(instance_id)))
        is_drawn = np.abs(picture[center] - expected).max() <= 1
        assert is_drawn or np.array_equal(picture[center], image[center])
        flags.append(bool(is_drawn))
    return flags


def _rles(masks):
    return [coco_mask.encode(np.asfortranarray(mask.numpy().astype(np.uint8))) for mask in masks]


@pytest.mark.parametrize(
    "masks",
    [_masks(), _rles(_masks()), BitmapMasks(_masks().numpy().astype(np.uint8), HEIGHT, WIDTH)],
    ids=["bool", "rle", "bitmap"],
)
@pytest.mark.parametrize("ids_key", ["instances_id", "instances_ids"])
def test_forms_of_masks_and_ids(visualizer, image, masks, ids_key):
    picture = visualizer._draw_instances(image, _instances(ids_key, masks=masks))
    assert _drawn(image, picture) == [True, True]


def test_empty_mask_is_not_drawn_though_it_has_a_box(visualizer, image):
    masks = _masks()
    masks[0] = False
    picture = visualizer._draw_instances(image, _instances(masks=masks))
    assert np.array_equal(picture[:, :80], image[:, :80])
    assert _drawn(image, picture) == [False, True]


def test_no_instances(visualizer, image):
    assert np.array_equal(visualizer._draw_instances(image, InstanceData()), image)
    none = _instances()[torch.zeros(2, dtype=torch.bool)]
    assert np.array_equal(visualizer._draw_instances(image, none), image)


def test_box_only_model(visualizer, image):
    instances = _instances()
    del instances.masks
    picture = visualizer._draw_instances(image, instances)
    assert tuple(picture[79, 40]) == instance_color(3)
    assert np.array_equal(picture[60, 40], image[60, 40])


def test_masks_of_another_size_are_an_error(visualizer, image):
    with pytest.raises(ValueError, match="reshape"):
        visualizer._draw_instances(image[:48, :80], _instances())


@pytest.mark.parametrize("with_gt", [True, False])
def test_add_datasample(visualizer, image, tmp_path, with_gt):
    sample = DetDataSample()
    sample.pred_track_instances = _instances(scores=torch.tensor([0.9, 0.2]))
    if with_gt:
        sample.gt_instances = _instances("instances_ids")
    out_file = tmp_path / "frame.png"
    visualizer.add_datasample("frame", image, sample, out_file=str(out_file))
    picture = read_frame(out_file)
    assert picture.shape == (HEIGHT, WIDTH * (1 + with_gt), 3)
    assert _drawn(image, picture[:, -WIDTH:]) == [True, False]
    if with_gt:
        assert _drawn(image, picture[:, :WIDTH]) == [True, True]


def test_small_frames_are_enlarged_by_default(image):
    picture = VISLocalVisualizer()._draw_instances(image, _instances())
    assert picture.shape == (4 * HEIGHT, 4 * WIDTH, 3)
