"""Datasets and perfect predictions for the metric."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from mmengine.logging import MMLogger
from pycocotools import mask as mask_utils
from sequence_results import results_of

from mmttsrn.datasets.synthetic import write_moving_shapes
from mmttsrn.hosts.mmdet import YouTubeVISDataset
from mmttsrn.structures import SequenceResults


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


def _perfect_video(video: dict, score: float = 0.9) -> SequenceResults:
    """Predicts the ground truth of one dataset entry."""
    labels = {
        instance["instance_id"]: instance["bbox_label"]
        for image in video["images"]
        for instance in image["instances"]
    }
    size = (video["images"][0]["height"], video["images"][0]["width"])
    masks = np.zeros((len(labels), len(video["images"]), *size), bool)
    for t, image in enumerate(video["images"]):
        for instance in image["instances"]:
            row = list(labels).index(instance["instance_id"])
            masks[row, t] = mask_utils.decode(instance["mask"])
    scores = [score] * len(labels)
    return results_of(masks, list(labels.values()), scores, video_id=video["video_id"])


@pytest.fixture
def perfect_video() -> Callable[..., SequenceResults]:
    """Function from an entry of the dataset to a perfect prediction for it."""
    return _perfect_video
