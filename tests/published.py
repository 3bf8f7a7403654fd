"""A training checkpoint of the tiny model, without training, and a metafile to publish it to."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from mmengine.logging import MessageHub

from mmttsrn.apis.building import build_from_config
from mmttsrn.apis.config_file import configs_folder, load_config

CLASSES = ("circle", "square", "triangle", "star")
LOGGED = {
    "val/youtube_vis/mAP": 0.25,
    "val/youtube_vis/mAP_l": -1.0,
    "val/time": 3.0,
    "train/loss": 2.0,
}
BEST = "best_youtube_vis_mAP_iter_1800.pth"
METAFILE = configs_folder() / "vis" / "metafile.yml"


def training_checkpoint(with_ema: bool = True) -> dict:
    """What MMEngine would save of a run with ``EMAHook``, after a validation."""
    cfg = load_config("ttsrn_tiny_shapes")
    cfg.work_dir = "/home/somebody/work_dirs"
    model = build_from_config(cfg)
    for parameter in model.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    hub = MessageHub.get_instance("published")
    for name, value in LOGGED.items():
        hub.update_scalar(name, value)
    hub.update_scalar("val/youtube_vis/mAP", 0.5)
    hub.update_info("best_score", np.float32(0.5))
    hub.update_info("best_ckpt", f"/home/somebody/work_dirs/{BEST}")
    checkpoint = {
        "meta": {
            "cfg": cfg.pretty_text,
            "epoch": 0,
            "iter": 1800,
            "time": "20260102_030405",
            "experiment_name": "ttsrn_tiny_shapes_20260102_010101",
            "dataset_meta": {"classes": CLASSES, "ann_file": "/home/somebody/train.json"},
        },
        "state_dict": model.state_dict(),
        "optimizer": torch.optim.AdamW(model.parameters()).state_dict(),
        "message_hub": hub.state_dict(),
        "param_schedulers": [],
    }
    if with_ema:
        last_step = {f"module.{name}": value + 1 for name, value in model.state_dict().items()}
        checkpoint["ema_state_dict"] = {"steps": torch.tensor(9), **last_step}
    return checkpoint


def zoo(folder: Path) -> SimpleNamespace:
    """An empty model zoo in a folder: metafile, training checkpoint."""
    metafile = folder / "metafile.yml"
    metafile.write_text(METAFILE.read_text().replace("../../docs/", ""))
    checkpoint = folder / BEST
    torch.save(training_checkpoint(), checkpoint)
    return SimpleNamespace(metafile=metafile, checkpoint=checkpoint, out_dir=folder / "release")


@torch.no_grad()
def check_outputs(model) -> list[torch.Tensor]:
    """Raw outputs of a model for one small clip, the same in every call."""
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(1, model.head.num_frames, 3, 64, 96, generator=generator)
    return [output for output in model(frames, mode="tensor") if output is not None]
