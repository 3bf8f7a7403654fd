"""The model of ``ttsrn-m2f_tiny_shapes`` on MMDetection's samples."""

import warnings

import pytest
import torch
from mmengine.registry import MODELS, init_default_scope
from ttsrn_batches import BATCHES, batch_of, losses_of, predict

from mmttsrn.apis.config_file import load_config
from mmttsrn.hosts.mmdet import TTSRN


@pytest.fixture
def model() -> TTSRN:
    config = load_config("ttsrn-m2f_tiny_shapes")
    init_default_scope(config.default_scope)
    return MODELS.build(config.model)


def test_checkpoints_name_the_parts(model: TTSRN) -> None:
    parts = {name.split(".")[0] for name in model.state_dict()}
    assert parts == {"backbone", "neck", "pixel_decoder", "head"}
    heads = {name.split(".")[1] for name in model.state_dict() if name.startswith("head.")}
    assert heads == {
        *("query_feat", "query_embed", "level_embed", "layers", "norm"),
        *("pool_proj", "cls_branch", "mask_branch", "pixel_branches"),
    }


@pytest.mark.parametrize("name", BATCHES)
def test_loss_is_finite_and_reaches_every_parameter(model: TTSRN, name: str) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="a clip has")
        losses = losses_of(model.train(), BATCHES[name])
    sum(losses.values()).backward()
    assert all(value.isfinite() for value in losses.values())
    assert (losses["loss_mask"] > 0) == (name != "no instance")
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key


@pytest.mark.parametrize("num_frames", [1, 4, 9])
@pytest.mark.parametrize("mixed_precision", [False, True])
def test_predictions_keep_the_contract(
    model: TTSRN, num_frames: int, mixed_precision: bool
) -> None:
    batch = batch_of(([], (60, 90)), num_frames=num_frames, original_size=(120, 180))
    model.eval()
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed_precision):
        (sample,) = predict(model, batch)
    results = sample.pred_sequences
    assert len(results) > 0
    assert (results.num_frames, results.size) == (num_frames, (120, 180))
    assert 0 <= results.labels.min() <= results.labels.max() < 4
    shown = [[text is not None for text in texts] for texts in results.counts]
    assert shown == results.visible.tolist()
    assert torch.equal(results.scores, results.scores.sort(descending=True).values)
