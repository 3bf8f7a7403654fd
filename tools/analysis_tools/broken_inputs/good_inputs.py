"""Small inputs of every command that have no fault."""

import copy
import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from mmttsrn.apis.config_file import configs_folder
from mmttsrn.checkpoints import load_checkpoint_file
from mmttsrn.datasets.synthetic import write_moving_shapes
from mmttsrn.formats.frames import read_frame
from mmttsrn.formats.rle import encode_segmentation
from mmttsrn.visualization.video_io import Mp4Writer

RELEASE = "ttsrn-m2f_tiny_shapes"
FRAMES, HEIGHT, WIDTH = 4, 64, 96
CONFIG = """
_base_ = ["mmttsrn::vis/ttsrn-m2f_tiny_shapes.py"]
data_root = "{data}/"
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
    """Inputs in a folder, written by :meth:`write`.

    Attributes:
        folder: The folder.
    """

    folder: Path

    def arguments(self, inputs: Path) -> dict[str, Any]:
        """Return inputs by the names of ``COMMANDS``; those that a command changes as copies."""
        return {
            "config": self.config,
            "checkpoint": self.checkpoint,
            "trained": self.trained,
            "foreign": self.folder / "twins.pth",
            "model": RELEASE,
            "data": self.data,
            "truth": self.data / "valid.json",
            "images": self.data / "valid" / "JPEGImages",
            "results": self.folder / "results.json",
            "video": self.video,
            "metafile": _copied(self.folder / "metafile.yml", inputs),
        }

    @property
    def data(self) -> Path:
        """Data set of moving shapes."""
        return self.folder / "data"

    @property
    def config(self) -> Path:
        """Config of a training of one step."""
        return self.folder / "config.py"

    @property
    def video(self) -> Path:
        """Video file."""
        return self.folder / "video.mp4"

    @property
    def checkpoint(self) -> Path:
        """Released weights."""
        return next((configs_folder() / "vis" / "released").glob(f"{RELEASE}_*.pth"))

    @property
    def trained(self) -> Path:
        """Checkpoint of a training, which is made by running the command ``train``."""
        return self.folder / "run" / "iter_1.pth"

    @cached_property
    def truths(self) -> dict[str, dict]:
        """Content of the json files by split."""
        return {
            split: json.loads((self.data / f"{split}.json").read_text())
            for split in ("train", "valid")
        }

    def truth(self, split: str = "valid") -> dict[str, Any]:
        """Content of a json file, to be changed."""
        return copy.deepcopy(self.truths[split])

    def results(self) -> list[dict[str, Any]]:
        """Content of the results, to be changed."""
        return json.loads((self.folder / "results.json").read_text())

    def content(self, path: Path) -> dict[str, Any]:
        """Content of a checkpoint, to be changed."""
        return load_checkpoint_file(path)

    def write(self) -> None:
        """Write all but the checkpoint of a training."""
        write_moving_shapes(self.data, 2, 2, FRAMES, (HEIGHT, WIDTH), 2, seed=1)
        results = [
            {
                "video_id": annotation["video_id"],
                "category_id": annotation["category_id"],
                "score": 0.9,
                "segmentations": [
                    mask and encode_segmentation(mask, HEIGHT, WIDTH)
                    for mask in annotation["segmentations"]
                ],
            }
            for annotation in self.truths["valid"]["annotations"]
        ]
        (self.folder / "results.json").write_text(json.dumps(results))
        self.config.write_text(CONFIG.format(data=self.data))
        collection = "Collections:\n  - Name: TT-SRN\nModels: []\n"
        (self.folder / "metafile.yml").write_text(collection)
        state = load_checkpoint_file(self.checkpoint)["state_dict"]
        prefix = "backbone."
        foreign = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        torch.save(foreign, self.folder / "twins.pth")
        frames = sorted((self.data / "valid" / "JPEGImages").rglob("*.jpg"))
        with Mp4Writer(self.video, fps=6) as writer:
            for frame in frames[:FRAMES]:
                writer.write(read_frame(frame))


def _copied(path: Path, folder: Path) -> Path:
    target = folder / path.name
    if not target.exists():
        shutil.copy(path, target)
    return target
