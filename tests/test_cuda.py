"""What a GPU computes is what the CPU computes. Skipped where there is no GPU."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor, nn
from ttsrn_batches import TWO, batch_of, losses_of

from mmttsrn.apis import VISInferencer
from mmttsrn.apis.config_file import load_config
from mmttsrn.datasets.synthetic_scenes import draw_object, render_clip
from mmttsrn.models.mask_heads.deform_conv import OffsetDeformConv2d

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

# The paper's model with MMCV's deformable convolution, and the released one.
CONFIGS = ("ttsrn_tiny_shapes", "ttsrn-m2f_tiny_shapes")
POINT_LOSSES = ("loss_mask", "loss_dice")
BATCH = batch_of((TWO, (64, 96)))


@pytest.fixture(autouse=True)
def full_precision() -> Iterator[None]:
    """No TF32, whose products have 10 bits."""
    with torch.backends.cudnn.flags(allow_tf32=False):
        yield


def build(name: str, num_points: int | None = None) -> Any:
    """The model of a config without dropout, with mask losses at all pixels or at random points."""
    config = load_config(name)
    init_default_scope(config.default_scope)
    if config.model.get("mask_head"):
        config.model.mask_head.deform_backend = "mmcv"
    if num_points is not None:
        criterion = config.model.criterion
        for part in (*criterion.matcher.costs[1:], *map(criterion.terms.get, POINT_LOSSES)):
            part.num_points = num_points
    model = MODELS.build(config.model).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for key in ("drop_prob", "attn_drop", "dropout"):
            if isinstance(getattr(module, key, None), float):
                setattr(module, key, 0.0)
    return model


def gradients(model: nn.Module, losses: dict[str, Tensor]) -> dict[str, Tensor]:
    sum(losses.values(), torch.tensor(0.0)).backward()
    return {key: p.grad.cpu() for key, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("backend", ["mmcv", "grid_sample"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_deformable_convolution(backend: str, dtype: torch.dtype) -> None:
    cpu = OffsetDeformConv2d(8, 6, backend)
    nn.init.normal_(cpu.conv_offset.weight, std=0.5)
    gpu = copy.deepcopy(cpu).cuda()
    x = torch.randn(5, 8, 24, 40)
    found = []
    for conv, device in ((cpu, "cpu"), (gpu, "cuda")):
        image = x.detach().to(device).requires_grad_()
        with torch.autocast(device, dtype, enabled=dtype != torch.float32 and device == "cuda"):
            output = conv(image)
        assert output.dtype == image.dtype
        output.float().square().mean().backward()
        grads = [p.grad for p in (image, *conv.parameters())]
        found.append([output.detach().cpu().float(), *(grad.cpu() for grad in grads)])
    for expected, ours in zip(*found, strict=True):
        error = (ours - expected).norm() / expected.norm()
        assert error < (1e-4 if dtype == torch.float32 else 0.02)


@pytest.mark.parametrize(
    ("name", "points"), [*((name, None) for name in CONFIGS), (CONFIGS[1], 50)]
)
def test_losses_and_gradients(
    name: str, points: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Points of the mask losses are drawn on the CPU, so that both devices have the same.
    draw, drawn = Tensor.uniform_, []

    def uniform(tensor: Tensor, *args: Any) -> Tensor:
        drawn.append(tensor.device.type)
        return tensor.copy_(draw(torch.empty(tensor.shape, dtype=tensor.dtype), *args))

    cpu = build(name, points)
    gpu = copy.deepcopy(cpu).cuda()
    monkeypatch.setattr(Tensor, "uniform_", uniform)
    results = []
    for model in (cpu, gpu):
        torch.manual_seed(0)
        losses = losses_of(model, BATCH)
        values = {key: value.item() for key, value in losses.items()}
        results.append((values, gradients(model, losses)))
    assert ("cuda" in drawn) == (points is not None)
    (expected, expected_grads), (losses_on_gpu, grads) = results
    assert losses_on_gpu == pytest.approx(expected, rel=1e-3)
    assert grads.keys() == expected_grads.keys()
    for key, grad in grads.items():
        scale = expected_grads[key].norm()
        assert (grad - expected_grads[key]).norm() <= 0.01 * scale + 1e-5, key


@pytest.mark.parametrize("name", CONFIGS)
def test_mixed_precision_is_near(name: str) -> None:
    model = build(name).cuda()
    torch.manual_seed(0)
    expected = sum(losses_of(model, BATCH).values())
    torch.manual_seed(0)
    with torch.autocast("cuda", torch.bfloat16):
        losses = losses_of(model, BATCH)
    assert sum(losses.values()).item() == pytest.approx(expected.item(), rel=0.05)
    assert all(grad.isfinite().all() for grad in gradients(model, losses).values())


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    """(24, 96, 160, 3) RGB frames of two moving shapes."""
    rng = np.random.default_rng(5)
    objects = [draw_object(rng, label, 24, (96, 160), stays=True) for label in (0, 3)]
    return render_clip(objects, 24, (96, 160), rng)[0][..., ::-1]


@pytest.mark.parametrize("amp", [False, True])
def test_video_results(amp: bool, frames: np.ndarray) -> None:
    find: Callable[..., Any] = lambda device, **kwargs: list(  # noqa: E731
        VISInferencer("ttsrn-m2f_tiny_shapes", device=device, **kwargs)(frames)
    )
    expected, found = find("cpu"), find("cuda", amp=amp)
    assert sum(map(len, expected)) > 20
    for ours, reference in zip(found, expected, strict=True):
        assert ours.instance_ids.tolist() == reference.instance_ids.tolist()
        assert ours.labels.tolist() == reference.labels.tolist()
        torch.testing.assert_close(ours.scores, reference.scores, rtol=0, atol=0.1 if amp else 1e-3)
        assert (ours.masks ^ reference.masks).sum() <= (0.05 if amp else 2e-3) * (
            reference.masks.sum() + 1
        )
