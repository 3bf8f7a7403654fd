"""Mask2Former for video of MMDetection, converted through a file, computes what it did."""

import pickle
from pathlib import Path

import pytest
import torch
from mask2former_checkpoints import as_detectron2, build_published, disturb
from mmengine.registry import MODELS

from mmttsrn.apis.building import state_without_values
from mmttsrn.apis.config_file import load_config
from mmttsrn.checkpoints import load_checkpoint_file
from mmttsrn.checkpoints.conversion import convert, save_converted
from mmttsrn.checkpoints.state import named_tensors
from mmttsrn.structures import SequencePredictions

CONFIG = "mask2former_r50_ytvis19"
T, SIZE = 3, (96, 128)


@pytest.fixture(scope="module")
def published() -> torch.nn.Module:
    torch.manual_seed(0)
    return disturb(build_published(CONFIG))


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    """(T, 3, H, W)."""
    return torch.randn(T, 3, *SIZE, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
@torch.no_grad()
def expected(
    published: torch.nn.Module, frames: torch.Tensor
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Class logits (1, Q, K+1) and mask logits (1, Q, T, h, w) of each layer."""
    return published.track_head(published.backbone(frames), None)


def write(model: torch.nn.Module, kind: str, folder: Path) -> Path:
    if kind == "mask2former-vis":
        torch.save({"meta": {}, "state_dict": model.state_dict()}, folder / "source.pth")
        return folder / "source.pth"
    arrays = {name: tensor.numpy() for name, tensor in as_detectron2(model.state_dict()).items()}
    (folder / "source.pkl").write_bytes(pickle.dumps({"model": arrays, "__author__": "x"}))
    return folder / "source.pkl"


@torch.no_grad()
def converted_layers(
    path: Path, kind: str, frames: torch.Tensor, out: Path
) -> list[SequencePredictions]:
    config = load_config(CONFIG)
    source = named_tensors(load_checkpoint_file(path), str(path))
    conversion = convert(source, kind, state_without_values(config), str(path))
    save_converted(conversion, str(out), kind, str(path), CONFIG)
    config.model.backbone.init_cfg = None
    config.model.init_cfg = dict(type="mmttsrn.PretrainedWeights", checkpoint=str(out))
    model = MODELS.build(config.model).eval()
    model.init_weights()
    return model.core.decode(frames[None], torch.zeros(1, T, *SIZE, dtype=torch.bool))


@pytest.mark.parametrize("kind", ["mask2former-vis", "mask2former-vis-d2"])
def test_every_layer_is_equal(kind: str, published, frames, expected, tmp_path: Path) -> None:
    layers = converted_layers(
        write(published, kind, tmp_path), kind, frames, tmp_path / "converted.pth"
    )
    classes, masks = expected
    assert len(layers) == len(classes) == 10
    for layer, their_logits, their_masks in zip(layers, classes, masks, strict=True):
        assert their_logits.std() > 0.1
        assert 0.01 < (their_masks > 0).float().mean() < 0.99  # so that attention is masked
        for t in range(T):
            torch.testing.assert_close(layer.logits[:, t], their_logits, rtol=0, atol=1e-4)
        torch.testing.assert_close(layer.mask_logits(), their_masks, rtol=0, atol=1e-4)
