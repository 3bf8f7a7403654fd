"""Mask2Former from a folder of the hub computes what Transformers and MMDetection compute."""

import json
from pathlib import Path

import pytest
import torch
from hub_folders import CLASSES, CONFIG, PREPROCESSING, hub_names, random_state, write_folder
from mask2former_checkpoints import CONFIGS, PUBLISHED, disturb
from mmdet.models.backbones.swin import WindowMSA
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor, nn

from mmttsrn.apis import init_model
from mmttsrn.checkpoints.conversion import convert
from mmttsrn.checkpoints.converters.mask2former_hf import BIAS_TABLE, window_index
from mmttsrn.setup_env import register_all_modules
from mmttsrn.structures import SequencePredictions

SIZE = (96, 160)  # of no whole number of windows
SWIN_T = dict(model_type="swin", embed_dim=96, depths=[2, 2, 6, 2], num_heads=[3, 6, 12, 24])
FULL = dict(
    backbone_config=SWIN_T,
    num_queries=100,
    feature_size=256,
    mask_feature_size=256,
    hidden_dim=256,
    encoder_feedforward_dim=1024,
    dim_feedforward=2048,
    num_attention_heads=8,
    encoder_layers=6,
    decoder_layers=10,
)


def stir(model: nn.Module) -> nn.Module:
    """Random weights that all matter, the biases of positions too."""
    disturb(model)
    for name, parameter in model.named_parameters():
        if name.endswith(BIAS_TABLE):
            parameter.data.normal_(std=0.5)
    return model.eval()


def transformers_model(changes: dict) -> nn.Module:
    """Mask2Former of Transformers."""
    transformers = pytest.importorskip("transformers")
    fields = {**CONFIG, **changes}
    stages = ["stage1", "stage2", "stage3", "stage4"]
    swin = transformers.SwinConfig(**fields.pop("backbone_config"), out_features=stages)
    del fields["model_type"], fields["architectures"]
    config = transformers.Mask2FormerConfig(
        backbone_config=swin, id2label=dict(enumerate(CLASSES)), **fields
    )
    torch.manual_seed(0)
    return stir(transformers.Mask2FormerForUniversalSegmentation(config))


def write_today(folder: Path, model: nn.Module, changes: dict) -> None:
    """Write a folder as Transformers does."""
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSING))


def write_2023(folder: Path, model: nn.Module, changes: dict) -> None:
    """Write a folder with a pickle and the buffers of that time."""
    from safetensors.torch import load_file

    model.save_pretrained(folder)
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    state = {name: tensor for name, tensor in state.items() if ".swin." not in name}
    for name in [name for name in state if name.endswith(BIAS_TABLE)]:
        side = 7 if len(state[name]) == 169 else 4
        state[name.replace("bias_table", "index")] = window_index(side)
    write_folder(folder, None, **changes)
    torch.save(state, folder / "pytorch_model.bin")


def write_memory(folder: Path, model: nn.Module, changes: dict) -> None:
    """Write a folder with the names that the modules have in memory."""
    write_folder(folder, None, **changes)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")


@torch.no_grad()
def layers_of(folder: Path, frames: Tensor) -> tuple[nn.Module, list[SequencePredictions]]:
    """Our model, and its layers for a clip (T, 3, H, W)."""
    model = init_model(folder)
    padding = torch.zeros(1, len(frames), *frames.shape[-2:], dtype=torch.bool)
    return model, model.core.decode(frames[None], padding)


def assert_equal(layers: list[SequencePredictions], logits: list[Tensor], masks: list[Tensor]):
    """Compare class logits (1, Q, K+1) and mask logits (1, Q, T, h, w) of each layer."""
    assert len(layers) == len(logits) == len(masks)
    errors = []
    for layer, their_logits, their_masks in zip(layers, logits, masks, strict=True):
        assert their_logits.std() > 0.1
        assert 0.01 < (their_masks > 0).float().mean() < 0.99  # so that attention is masked
        torch.testing.assert_close(layer.logits[:, 0], their_logits, rtol=0, atol=1e-4)
        torch.testing.assert_close(layer.mask_logits(), their_masks, rtol=0, atol=1e-4)
        pairs = (layer.logits[:, 0], their_logits), (layer.mask_logits(), their_masks)
        errors.append([float((one - other).abs().max()) for one, other in pairs])
    print("largest differences, classes and masks:", *map(max, zip(*errors, strict=True)))


@pytest.mark.parametrize("write", [write_today, write_2023, write_memory])
@pytest.mark.parametrize("changes", [{}, pytest.param(FULL, marks=pytest.mark.slow)])
@torch.no_grad()
def test_one_frame_is_that_of_transformers(write, changes: dict, tmp_path: Path) -> None:
    """Each layer; of images Transformers has no encoding of time, which is added to it here."""
    theirs = transformers_model(changes)
    write(tmp_path, theirs, changes)
    frames = torch.randn(1, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    ours, layers = layers_of(tmp_path, frames)

    def with_time(shape: torch.Size, *_: object) -> Tensor:
        cells = torch.zeros(shape[0], 1, *shape[-2:], dtype=torch.bool)
        return ours.head.positional_encoding(cells)[:, 0]

    theirs.model.transformer_module.position_embedder.forward = with_time
    output = theirs(frames, output_auxiliary_logits=True)
    outputs = [*output.auxiliary_logits, output]
    logits = [entry["class_queries_logits"] for entry in outputs]
    masks = [entry["masks_queries_logits"][:, :, None] for entry in outputs]
    assert_equal(layers, logits, masks)


def test_made_folders_have_the_names_of_transformers(tmp_path: Path) -> None:
    """The tests that do without Transformers read the same names."""
    from safetensors import safe_open

    write_today(tmp_path / "theirs", transformers_model({}), {})
    with safe_open(tmp_path / "theirs" / "model.safetensors", "pt") as file:
        theirs = {name for name in file.keys() if ".swin." not in name}  # noqa: SIM118
    write_folder(tmp_path / "ours", None)
    ours = hub_names(random_state(tmp_path / "ours"))
    assert {name for name in ours if "relative_position_index" not in name} == theirs


def mmdet_model() -> nn.Module:
    """Mask2Former for video of MMDetection, with the Swin of :data:`CONFIG`."""
    register_all_modules()
    config = Config.fromfile(CONFIGS / f"{PUBLISHED['mask2former_swin-l_ytvis21']}.py")
    swin = CONFIG["backbone_config"]
    config.model.backbone.update(
        embed_dims=swin["embed_dim"],
        depths=swin["depths"],
        num_heads=swin["num_heads"],
        window_size=swin["window_size"],
        init_cfg=None,
    )
    config.model.track_head.update(in_channels=[16, 32, 64, 128], num_queries=7)
    init_default_scope("mmdet")
    torch.manual_seed(0)
    return stir(MODELS.build(config.model))


@pytest.mark.parametrize("side", [1, 4, 7])
def test_index_of_windows_is_that_of_mmdet(side: int) -> None:
    index = WindowMSA(8, 2, (side, side)).relative_position_index
    assert torch.equal(window_index(side), index)


@torch.no_grad()
def test_a_clip_is_that_of_mmdet(tmp_path: Path) -> None:
    changes = {**FULL, "num_queries": 7, "backbone_config": CONFIG["backbone_config"]}
    classes = [f"class {label}" for label in range(40)]
    write_folder(tmp_path, None, classes, **changes)
    theirs = mmdet_model()
    own = random_state(tmp_path)
    conversion = convert(theirs.state_dict(), "mask2former-vis", own, "x.pth")
    assert conversion.state.keys() == own.keys()
    write_folder(tmp_path, conversion.state, classes, **changes)
    frames = torch.randn(3, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    _, layers = layers_of(tmp_path, frames)
    assert_equal(layers, *theirs.track_head(theirs.backbone(frames), None))
