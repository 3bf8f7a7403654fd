"""Training VidEoMT: losses, gradients and learning rates of its configs."""

import re

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from tiny_videomt import VIT

from mmttsrn.apis.config_file import load_config
from mmttsrn.structures import SequenceTargets

CONFIGS = ("dinov2-s_ytvis19", "dinov2-b_ytvis19", "dinov2-l_ytvis19", "dinov2-l_ytvis21",
           "dinov2-l_ovis", "dinov3-l_ytvis19", "dinov3-l_ytvis21")  # fmt: skip
SIZE, T = 128, 2


def targets() -> SequenceTargets:
    """Two squares, of which the second comes in the second frame."""
    masks = torch.zeros(2, T, SIZE, SIZE, dtype=torch.bool)
    masks[0, :, 20:60, 20:60] = True
    masks[1, 1, 70:110, 60:110] = True
    valid = masks.flatten(2).any(2)
    return SequenceTargets(torch.tensor([0, 2]), torch.zeros(2, T, 4), valid, masks, (SIZE, SIZE))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_a_step_reaches_every_parameter(probability: float, dtype: torch.dtype) -> None:
    pytest.importorskip("transformers")
    cfg = load_config("videomt_tiny_shapes")
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model).train()
    model.init_weights()
    model.head.attn_mask_probs.fill_(probability)
    clips, padding = torch.randn(2, T, 3, SIZE, SIZE), torch.zeros(2, T, SIZE, SIZE).bool()
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        losses = model.core.loss(clips, padding, [targets(), targets()])
    assert {name.partition(".")[0] for name in losses} >= {"d0", "d1", "d2", "loss_cls"}
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("name", CONFIGS)
def test_learning_rates_fall_from_block_to_block(name: str) -> None:
    pytest.importorskip("transformers")
    cfg = load_config(f"videomt_{name}")
    vit = cfg.model.backbone.vit
    assert vit == cfg.model.head.blocks.vit
    count, blocks = vit.num_hidden_layers, vit.num_blocks
    # The same layers, of a width that takes no time.
    for part in (cfg.model.backbone, cfg.model.head.blocks):
        part.vit.update(hidden_size=32, num_attention_heads=2, intermediate_size=32)
    cfg.model.head.mask_branch.hidden_channels = [32, 32]
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    rates: dict[int, set[float]] = {}
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for group in build_optim_wrapper(model, cfg.optim_wrapper).optimizer.param_groups:
        for parameter in group["params"]:
            match = re.match(r"(backbone|head\.blocks)\.layers\.(\d+)", names[id(parameter)])
            first = 0 if match is None or match[1] == "backbone" else count - blocks
            block = count if match is None else first + int(match[2])
            block = -1 if ".embeddings." in names[id(parameter)] else block
            rates.setdefault(block, set()).add(group["lr"])
    assert sorted(rates) == [*range(-1, count + 1)]
    assert all(len(rate) == 1 for rate in rates.values())
    (top,) = rates[count]
    for block in range(count):
        assert rates[block].pop() == pytest.approx(top * 0.6 ** (count - block))


def test_published_depths() -> None:
    cfg = load_config("videomt_dinov2-s_ytvis19")
    assert {key: cfg.model.backbone.vit[key] for key in VIT} == VIT | dict(
        hidden_size=384, num_hidden_layers=12, num_attention_heads=6, image_size=640, num_blocks=3,
        num_register_tokens=4,
    )  # fmt: skip
