"""Datasets and perfect predictions for the metric."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData
from pycocotools import mask as mask_utils

from mmttsrn.datasets import YouTubeVISDataset
from mmttsrn.datasets.synthetic import write_moving_shapes


@pytest.fixture(autouse=True)
def _fresh_logger() -> Iterator[None]:
    """Forgets the logger of a Runner, whose folder the metric would go on writing to."""
    MMLogger._instance_dict.clear()
    yield
    MMLogger._instance_dict.clear()


@pytest.fixture(scope="session")
def shapes_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Moving shapes: 1 training and 5 validation clips of 4 frames, 48x64."""
    folder = tmp_path_factory.mktemp("moving_shapes")
    write_moving_shapes(folder, train_clips=1, val_clips=5, num_frames=4, size=(48, 64), seed=1)
    return folder


@pytest.fixture
def load_split(shapes_dir: Path) -> Callable[..., YouTubeVISDataset]:
    """The validation split as a test dataset; keyword arguments go to the dataset."""

    def load(**kwargs) -> YouTubeVISDataset:
        settings = {
            "ann_file": "valid.json",
            "data_root": str(shapes_dir),
            "data_prefix": {"img_path": "valid/JPEGImages"},
            "test_mode": True,
        }
        return YouTubeVISDataset(**(settings | kwargs))

    return load


def _perfect_video(video: dict, score: float = 0.9) -> TrackDataSample:
    """Predicts the ground truth of one dataset entry; absent frames get frame score 0."""
    labels = {
        instance["instance_id"]: instance["bbox_label"]
        for image in video["images"]
        for instance in image["instances"]
    }
    frames = []
    for image in video["images"]:
        height, width = image["height"], image["width"]
        visible = {instance["instance_id"]: instance["mask"] for instance in image["instances"]}
        masks = torch.zeros(len(labels), height, width, dtype=torch.bool)
        for index, instance_id in enumerate(labels):
            if instance_id in visible:
                masks[index] = torch.from_numpy(mask_utils.decode(visible[instance_id])).bool()
        frame = DetDataSample(
            metainfo={
                "video_id": video["video_id"],
                "frame_id": image["frame_id"],
                "ori_video_length": video["video_length"],
                "ori_shape": (height, width),
            }
        )
        frame.pred_track_instances = InstanceData(
            instances_id=torch.arange(len(labels)),
            labels=torch.tensor(list(labels.values()), dtype=torch.int64),
            scores=torch.full((len(labels),), score),
            frame_scores=torch.tensor([float(i in visible) for i in labels]),
            bboxes=torch.zeros(len(labels), 4),
            masks=masks,
        )
        frames.append(frame)
    sample = TrackDataSample()
    sample.video_data_samples = frames
    return sample


@pytest.fixture
def perfect_video() -> Callable[..., TrackDataSample]:
    """Function from an entry of the dataset to a perfect prediction for it."""
    return _perfect_video
