"""A small generated data set that tests copy and damage."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mmttsrn.datasets.synthetic import write_moving_shapes
from mmttsrn.hosts.mmdet import YouTubeVISDataset


@pytest.fixture(scope="session")
def shapes_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Moving shapes: 4 training and 2 validation clips of 5 frames, 48x64."""
    folder = tmp_path_factory.mktemp("moving_shapes")
    write_moving_shapes(folder, train_clips=4, val_clips=2, num_frames=5, size=(48, 64), seed=3)
    return folder


@pytest.fixture
def shapes_json(shapes_dir: Path) -> dict:
    """Content of the training json, free to change."""
    return copy.deepcopy(json.loads((shapes_dir / "train.json").read_text()))


@pytest.fixture
def build_dataset(shapes_dir: Path, tmp_path: Path) -> Callable[..., YouTubeVISDataset]:
    """Builds the dataset from the content of a json, on the frames of ``shapes_dir``."""

    def build(content: dict, split: str = "train", **kwargs) -> YouTubeVISDataset:
        ann_file = tmp_path / "annotations.json"
        ann_file.write_text(json.dumps(content))
        settings = {
            "ann_file": str(ann_file),
            "data_root": str(shapes_dir),
            "data_prefix": {"img_path": f"{split}/JPEGImages"},
        }
        return YouTubeVISDataset(**(settings | kwargs))

    return build
