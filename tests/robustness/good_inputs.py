"""Inputs without a fault, made once."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import run_command

from mmttsrn.apis.config_file import configs_folder
from mmttsrn.datasets.synthetic import write_moving_shapes
from mmttsrn.formats.frames import read_frame
from mmttsrn.formats.rle import encode_segmentation
from mmttsrn.visualization.video_io import Mp4Writer

RELEASE = "ttsrn-m2f_tiny_shapes"
FRAMES, HEIGHT, WIDTH = 4, 64, 96
CONFIG = f"""
_base_ = ["mmttsrn::vis/{RELEASE}.py"]
data_root = "{{data}}/"
train_cfg = dict(max_iters=1)
param_scheduler = None
train_dataloader = dict(
    batch_size=1, num_workers=0, persistent_workers=False, dataset=dict(data_root=data_root)
)
val_dataloader = val_evaluator = val_cfg = None
test_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(data_root=data_root)
)
default_hooks = dict(checkpoint=dict(interval=1))
randomness = dict(seed=0)
"""


@dataclass
class GoodInputs:
    """Inputs in a folder; what a test changes is a copy."""

    folder: Path
    released: Path  # weights

    def __getattr__(self, name: str) -> Path:
        return self.folder / NAMES[name]

    def content(self) -> dict[str, Any]:
        """Content of the checkpoint of the training, to be changed."""
        return torch.load(self.trained, weights_only=False)


NAMES = {
    "data": "data",  # set of moving shapes, two clips of each split
    "truth": "data/valid.json",
    "images": "data/valid/JPEGImages",
    "results": "results.json",  # which repeat the truth
    "config": "config.py",  # of a training of one step
    "trained": "trained.pth",  # the checkpoint of it
    "foreign": "twins.pth",  # weights of a backbone, as its authors publish them
    "video": "video.mp4",
}


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> GoodInputs:
    """Inputs of all commands."""
    folder = tmp_path_factory.mktemp("good")
    released = next((configs_folder() / "vis" / "released").glob(f"{RELEASE}_*.pth"))
    inputs = GoodInputs(folder, released)
    write_moving_shapes(inputs.data, 2, 2, FRAMES, (HEIGHT, WIDTH), 2, seed=1)
    results = [
        {
            **{key: annotation[key] for key in ("video_id", "category_id")},
            "score": 0.9,
            "segmentations": [
                mask and encode_segmentation(mask, HEIGHT, WIDTH)
                for mask in annotation["segmentations"]
            ],
        }
        for annotation in json.loads(inputs.truth.read_text())["annotations"]
    ]
    inputs.results.write_text(json.dumps(results))
    inputs.config.write_text(CONFIG.format(data=inputs.data))
    with Mp4Writer(inputs.video, fps=6) as writer:
        for frame in sorted(inputs.images.rglob("*.jpg"))[:FRAMES]:
            writer.write(read_frame(frame))
    ended = run_command("train.py", inputs.config, "--work-dir", "out", folder=folder)
    assert ended.status == 0, ended.errors
    shutil.move(folder / "out" / "iter_1.pth", inputs.trained)
    state = inputs.content()["state_dict"].items()
    backbone = {k.removeprefix("backbone."): v for k, v in state if k.startswith("backbone.")}
    torch.save(backbone, inputs.foreign)
    return inputs
