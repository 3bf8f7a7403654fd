"""A VidEoMT that runs in milliseconds, and the model of Transformers with its weights."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import Tensor, nn

from mmttsrn.apis.building import build_from_config
from mmttsrn.apis.config_file import configs_folder
from mmttsrn.checkpoints.conversion import convert
from mmttsrn.hosts.mmdet import TTSRN

SIZE = 64
VIT: dict[str, Any] = dict(
    model_type="videomt",
    hidden_size=32,
    num_hidden_layers=5,
    num_attention_heads=4,
    image_size=SIZE,
    patch_size=16,
    num_blocks=2,
    num_register_tokens=3,
)
# With positions that turn queries and keys.
DINOV3_VIT = VIT | dict(model_type="eomt_dinov3", intermediate_size=64)
Q, K = 6, 3
PREPROCESSING = dict(
    do_resize=True,
    size=dict(height=SIZE, width=SIZE),
    resample=2,
    do_rescale=True,
    rescale_factor=1 / 255,
    do_normalize=True,
    image_mean=[0.485, 0.456, 0.406],
    image_std=[0.229, 0.224, 0.225],
)


def videomt_config(vit: dict[str, Any] = VIT, **head: Any) -> Config:
    """The config of VidEoMT-S at the size of ``vit``."""
    cfg = Config.fromfile(configs_folder() / "_base_/models/videomt_dinov2-s.py")
    cfg.model.backbone.vit, cfg.model.head.blocks.vit = dict(vit), dict(vit)
    width = vit["hidden_size"]
    cfg.model.head.mask_branch.hidden_channels = [width, width]
    cfg.model.head.update(dict(num_classes=K, num_instances=Q) | head)
    return cfg


def host_model(vit: dict[str, Any] = VIT, num_queries: int = Q, num_classes: int = K) -> nn.Module:
    """The model of Transformers with random weights; skips the test without Transformers."""
    transformers = pytest.importorskip("transformers")
    kind = {"videomt": "Videomt", "eomt_dinov3": "EomtDinov3"}[vit["model_type"]]
    options = {key: value for key, value in vit.items() if key != "model_type"}
    config = getattr(transformers, f"{kind}Config")(
        **options, num_queries=num_queries, num_labels=num_classes
    )
    torch.manual_seed(0)
    return getattr(transformers, f"{kind}ForUniversalSegmentation")(config).eval()


def twins(vit: dict[str, Any] = VIT, **head: Any) -> tuple[nn.Module, TTSRN]:
    """The model of Transformers, and ours with the same weights."""
    host = host_model(vit)
    model = build_from_config(videomt_config(vit, **head))
    state = convert(host.state_dict(), "videomt", model.state_dict(), "random").state
    model.load_state_dict(state, strict=False)
    return host, model


def write_hub_folder(path: Path, classes: Sequence[str]) -> Path:
    """A folder as the hub has it, with the model of Transformers and random weights."""
    host = host_model(VIT, num_classes=len(classes))
    host.config.id2label = dict(enumerate(classes))
    host.save_pretrained(path)
    (path / "video_preprocessor_config.json").write_text(json.dumps(PREPROCESSING))
    return path


def noise(num_frames: int, size: int = SIZE) -> Tensor:
    """Frames (T, 3, H, W) of noise that changes a little."""
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(1, 3, size, size, generator=generator)
    return first + 0.3 * torch.randn(num_frames, 3, size, size, generator=generator)
