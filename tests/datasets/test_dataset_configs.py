from pathlib import Path

import cv2
import numpy as np
import pytest
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import DATASETS
from pycocotools import mask as mask_utils

from mmttsrn.setup_env import register_all_modules

CONFIGS = Path(__file__).parents[2] / "configs/_base_/datasets"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.py"))


@pytest.mark.parametrize("inherited", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_every_dataset_config_trains_and_tests(
    name: str, inherited: bool, shapes_dir: Path, tmp_path: Path
) -> None:
    """Builds both datasets on small data and runs their pipelines."""
    register_all_modules()
    path = CONFIGS / f"{name}.py"
    if inherited:  # by the package's name: MMEngine then looks up types from our scope
        path = tmp_path / "child.py"
        path.write_text(f"_base_ = ['mmttsrn::_base_/datasets/{name}.py']\n")
    config = Config.fromfile(path)
    train, test = config.train_dataloader.dataset, config.test_dataloader.dataset
    assert config.val_dataloader == config.test_dataloader
    assert config.val_evaluator.type == "mmttsrn.YouTubeVISMetric"
    for split, settings in (("train", train), ("valid", test)):
        settings.update(
            data_root=str(shapes_dir),
            ann_file=f"{split}.json",
            data_prefix={"img_path": f"{split}/JPEGImages"},
        )
    num_frames = train.pipeline[0].num_frames
    sample = DATASETS.build(train)[(0, 0)]
    assert sample["inputs"].shape[:2] == (num_frames, 3)
    frames = sample["data_samples"].video_data_samples
    assert len(frames) == num_frames
    assert set(frames[0].metainfo) == set(config.meta_keys)
    assert {"bboxes", "labels", "masks", "instances_ids"} <= set(frames[0].gt_instances.keys())
    whole = DATASETS.build(test)[0]
    assert whole["inputs"].shape[0] == 5
    frame = whole["data_samples"][4]
    assert frame.ori_video_length == 5
    assert frame.ori_shape == (48, 64)
    assert len(frame.gt_instances) == 0
    assert "instances" not in frame.metainfo


def test_reference_sizes() -> None:
    config = Config.fromfile(CONFIGS / "youtube_vis_2019.py")
    train, test = config.train_dataloader, config.test_dataloader
    assert train.dataset.pipeline[0].num_frames == 36
    assert train.batch_size == 1
    assert train.sampler.type == "mmdet.TrackImgSampler"
    assert test.dataset.pipeline[0].transforms[-1].scale == (540, 300)
    by_type = {step.type: step for step in train.dataset.pipeline[1].transforms}
    assert by_type["mmdet.Resize"].scale == (540, 300)
    assert by_type["mmdet.RandomCrop"].crop_size == (384, 600)
    assert train.dataset.pipeline[1].type == "mmttsrn.ClipBroadcaster"


@pytest.mark.parametrize(
    ("name", "root", "train_file", "valid_file", "images"),
    [
        ("youtube_vis_2019", "data/youtube_vis_2019/", "train.json", "valid.json", "JPEGImages"),
        (
            "youtube_vis_2021",
            "data/youtube_vis_2021/",
            "train/instances.json",
            "valid/instances.json",
            "JPEGImages",
        ),
        ("ovis", "data/ovis/", "annotations_train.json", "annotations_valid.json", ""),
    ],
)
def test_published_layouts(
    name: str, root: str, train_file: str, valid_file: str, images: str
) -> None:
    config = Config.fromfile(CONFIGS / f"{name}.py")
    for loader, split, ann_file in (
        (config.train_dataloader, "train", train_file),
        (config.val_dataloader, "valid", valid_file),
    ):
        assert loader.dataset.data_root == root
        assert loader.dataset.ann_file == ann_file
        assert loader.dataset.data_prefix.img_path == str(Path(split) / images)


def test_augmented_clips_have_one_size_and_still_frames_stay_equal(tmp_path: Path) -> None:
    register_all_modules()
    steps = Config.fromfile(CONFIGS / "youtube_vis_tiny_augmented.py").train_pipeline
    steps = [step for step in steps if step.type != "mmttsrn.ClipCopyPaste"]
    steps[0].update(num_frames=2, stride=(1, 6))
    image = np.random.default_rng(0).integers(0, 256, (180, 320, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "still.png"), image)
    mask = np.zeros((180, 320), np.uint8, order="F")
    mask[40:140, 60:260] = 1
    instance = {"bbox": [60, 40, 260, 140], "bbox_label": 0, "mask": mask_utils.encode(mask),
                "instance_id": 5, "ignore_flag": 0}  # fmt: skip
    frame = {"img_path": str(tmp_path / "still.png"), "height": 180, "width": 320,
             "instances": [instance]}  # fmt: skip
    images = [frame | {"img_id": index, "frame_id": index} for index in range(12)]
    seen = set()
    for seed in range(8):
        np.random.seed(seed)
        sample = Compose(steps)({"video_id": 1, "video_length": 12, "images": images})
        inputs, frames = sample["inputs"], sample["data_samples"].video_data_samples
        assert inputs.shape == (2, 3, 96, 160)
        assert (inputs == inputs[:1]).all()
        first = frames[0].gt_instances
        for other in (frame.gt_instances for frame in frames):
            assert np.array_equal(other.masks.masks, first.masks.masks)
            assert other.bboxes.tolist() == first.bboxes.tolist()
        seen.add(int(inputs.sum()))
    assert len(seen) == 8
