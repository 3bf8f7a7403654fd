import copy
import warnings
from collections.abc import Callable

import pytest
import torch
from mmengine.optim import OptimWrapper
from tiny_ttsrn import BOX_ONLY
from ttsrn_batches import BATCHES, CROWD, SMALL, TWO, batch_of, losses_of
from vis_samples import Rectangle

from mmttsrn.hosts.mmdet import TTSRN

Builder = Callable[..., TTSRN]


@pytest.mark.parametrize("name", BATCHES)
def test_is_finite_and_reaches_every_parameter(build_tiny: Builder, name: str) -> None:
    model = build_tiny().train()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="a clip has 5 instances")
        losses = losses_of(model, BATCHES[name])
    assert set(losses) == {
        *(f"loss_{kind}" for kind in ("cls", "bbox", "giou", "mask", "dice")),
        *(f"d0.loss_{kind}" for kind in ("cls", "bbox", "giou")),
    }
    sum(losses.values()).backward()
    for key, value in losses.items():
        assert value.isfinite(), key
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
    has_instances = name != "no instance"
    assert (losses["loss_mask"] > 0) == (losses["d0.loss_bbox"] > 0) == has_instances
    moved = [key for key, p in model.named_parameters() if p.grad.any()]
    assert any(key.startswith("mask_head.") for key in moved) == has_instances
    assert any(key.startswith("backbone.") for key in moved)


def test_keeps_the_largest_instances_with_a_warning(build_tiny: Builder) -> None:
    with pytest.warns(UserWarning, match="more than the 4 instances that the model predicts"):
        losses_of(build_tiny(), BATCHES["more than Q"])


def test_does_not_depend_on_the_order_of_instances(build_tiny: Builder) -> None:
    model = build_tiny()
    expected = losses_of(model, batch_of((CROWD[:4], (64, 96))))
    order = torch.randperm(4).tolist()
    renamed = [Rectangle(70 - i, CROWD[i].label, CROWD[i].boxes) for i in order]
    permuted = losses_of(model, batch_of((renamed, (64, 96))))
    for key, value in expected.items():
        torch.testing.assert_close(permuted[key], value, msg=key)


def test_of_a_batch_is_that_of_its_clips(build_tiny: Builder) -> None:
    """With one true sequence each, batch losses are means of the clips' own losses."""
    model = build_tiny()
    clips = [(TWO[:1], (64, 96)), (SMALL, (64, 96))]
    together = batch_of(*clips)
    alone = [
        {key: values[i : i + 1] for key, values in together.items()} for i in range(len(clips))
    ]
    together_losses = losses_of(model, together)
    alone_losses = [losses_of(model, batch) for batch in alone]
    for key, value in together_losses.items():
        mean = sum(losses[key] for losses in alone_losses) / 2
        torch.testing.assert_close(value, mean, msg=key)


def test_falls_when_trained(build_tiny: Builder) -> None:
    model = build_tiny()  # In eval mode, so that no dropout hides the trend.
    wrapper = OptimWrapper(torch.optim.AdamW(model.parameters(), lr=1e-3))
    batch = BATCHES["two instances"]
    steps = [model.train_step(copy.deepcopy(batch), wrapper) for _ in range(4)]
    assert steps[-1]["loss"] < 0.95 * steps[0]["loss"]
    # The runner sums what is called loss.
    total = sum(value for key, value in steps[0].items() if key != "loss")
    torch.testing.assert_close(steps[0]["loss"], total)


def test_does_not_depend_on_the_deform_backend(build_tiny: Builder) -> None:
    model = build_tiny()
    other = build_tiny(mask_head=dict(deform_backend="mmcv"))
    other.load_state_dict(model.state_dict())
    losses = losses_of(other, BATCHES["two instances"])
    for key, value in losses_of(model, BATCHES["two instances"]).items():
        torch.testing.assert_close(losses[key], value, msg=key)


def test_recomputing_changes_no_gradient(build_tiny: Builder) -> None:
    plain = build_tiny().train()
    parts = ("backbone", "neck", "head", "mask_head")
    recomputing = build_tiny(**{part: dict(with_cp=True) for part in parts}).train()
    recomputing.load_state_dict(plain.state_dict())
    for model in (plain, recomputing):
        torch.manual_seed(1)  # The same dropout.
        sum(losses_of(model, BATCHES["two instances"]).values()).backward()
    gradients = dict(recomputing.named_parameters())
    for key, parameter in plain.named_parameters():
        torch.testing.assert_close(
            parameter.grad, gradients[key].grad, rtol=1e-3, atol=1e-5, msg=key
        )


@pytest.mark.parametrize("name", ["two instances", "no instance"])
def test_in_mixed_precision(build_tiny: Builder, name: str) -> None:
    model = build_tiny()
    expected = losses_of(model, BATCHES[name])
    with torch.autocast("cpu", torch.bfloat16):
        losses = losses_of(model, BATCHES[name])
    for key, value in losses.items():
        torch.testing.assert_close(value.float(), expected[key], rtol=0.02, atol=0.01, msg=key)
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_box_only_model_has_no_mask_losses(build_tiny: Builder) -> None:
    model = build_tiny(**BOX_ONLY)
    batch = BATCHES["two instances"]
    for sample in batch["data_samples"]:
        assert "masks" in sample[0].gt_instances
    losses = losses_of(model, batch)
    assert {key.removeprefix("d0.") for key in losses} == {
        "loss_cls",
        "loss_bbox",
        "loss_giou",
    }


def test_needs_a_criterion(build_tiny: Builder) -> None:
    with pytest.raises(ValueError, match=r"training needs model\.criterion"):
        losses_of(build_tiny(criterion=None), BATCHES["two instances"])


def test_refuses_clips_that_are_too_long(build_tiny: Builder) -> None:
    rectangles = [Rectangle.moving(1, 0, (0, 0, 20, 20), num_frames=4)]
    with pytest.raises(ValueError, match="num_frames=3, but a clip has 4 frames"):
        losses_of(build_tiny(), batch_of((rectangles, (64, 96)), num_frames=4))
