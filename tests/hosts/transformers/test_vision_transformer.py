"""VidEoMT on the Vision Transformers of Transformers, against the models that they come from."""

import io
import sys
from typing import Any

import pytest
import torch
from tiny_videomt import DINOV3_VIT, SIZE, VIT, noise, twins, videomt_config
from torch import Tensor

from mmttsrn.apis.building import build_from_config
from mmttsrn.errors import UserInputError
from mmttsrn.hosts.mmdet import TTSRN
from mmttsrn.inference import VideoPredictor
from mmttsrn.structures import EncodedFrames, FrameSizes

SIZES = FrameSizes((SIZE, SIZE), (SIZE, SIZE), (36, 64))


def raw_outputs(model: TTSRN, frames: Tensor, **settings: Any) -> tuple[Tensor, Tensor]:
    """Class and mask logits (T, Q, ...) that a predictor gets, clip by clip."""
    core, outputs = model.core, []
    predictor = VideoPredictor(core, SIZES, **settings)
    add = predictor.link.add
    predictor.link.add = lambda start, clip: (outputs.append(clip), add(start, clip))
    for frame in frames:
        predictor.step(frame)
    predictor.finish()
    parts = [(c.logits.transpose(0, 1), c.mask_logits.transpose(0, 1)) for c in outputs]
    logits, masks = map(torch.cat, zip(*parts, strict=True))
    return logits, masks


@torch.no_grad()
def test_streaming_equals_the_whole_video_at_once() -> None:
    host, model = twins()
    frames = noise(11)
    expected = host(pixel_values_videos=frames[None])
    logits, masks = raw_outputs(model, frames)
    torch.testing.assert_close(logits, expected.class_queries_logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(masks, expected.masks_queries_logits, atol=1e-5, rtol=0)
    # The frames before count, so that the order of the frames matters.
    reverse, _ = raw_outputs(model, frames.flip(0))
    assert (reverse.flip(0) - logits).abs().max() > 1e-3


@pytest.mark.slow
@torch.no_grad()
def test_streaming_equals_the_whole_video_at_real_size() -> None:
    size = 640
    vit = VIT | dict(
        hidden_size=384, num_hidden_layers=12, num_attention_heads=6, image_size=size, num_blocks=3
    )
    host, model = twins(vit)
    frames = noise(24, size)
    expected = host(pixel_values_videos=frames[None])
    logits, masks = raw_outputs(model, frames)
    torch.testing.assert_close(logits, expected.class_queries_logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(masks, expected.masks_queries_logits, atol=1e-5, rtol=0)


@torch.no_grad()
def test_dinov3_equals_the_host_frame_by_frame() -> None:
    host, model = twins(DINOV3_VIT, propagate=False)
    host.attn_mask_probs.zero_()
    frames = noise(3)
    expected = host(pixel_values=frames)
    logits, masks = raw_outputs(model, frames, overlap=0)
    torch.testing.assert_close(logits, expected.class_queries_logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(masks, expected.masks_queries_logits, atol=1e-5, rtol=0)


@torch.no_grad()
def test_dinov3_is_the_one_that_its_authors_publish() -> None:
    """VidEoMT of its authors runs the blocks of this model, not those of EoMT."""
    transformers = pytest.importorskip("transformers")
    fields = {key: DINOV3_VIT[key] for key in DINOV3_VIT if key not in ("model_type", "num_blocks")}
    host = transformers.DINOv3ViTModel(transformers.DINOv3ViTConfig(**fields)).eval()
    model = build_from_config(videomt_config(DINOV3_VIT | dict(layer_norm_eps=1e-5)))
    names = {name.replace("model.layer.", "layers."): x for name, x in host.state_dict().items()}
    names = {name.replace("layer.", "layers.", 1): x for name, x in names.items()}
    model.backbone.load_state_dict(names, strict=False)
    frames = noise(2)
    prefix, patches = model.backbone(frames)
    tokens = torch.cat([prefix.flatten(2), patches.flatten(2)], 2).transpose(1, 2)
    expected = host(pixel_values=frames, output_hidden_states=True).hidden_states
    torch.testing.assert_close(tokens, expected[len(model.backbone.layers)], atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_run_that_goes_on_gives_the_same_bytes() -> None:
    _, model = twins()
    frames = noise(10)

    def parts_of(predictor: VideoPredictor, frames: Tensor) -> list[EncodedFrames | None]:
        return [predictor.step(frame) for frame in frames]

    whole = VideoPredictor(model.core, SIZES)
    parts = [*parts_of(whole, frames), whole.finish()]
    for stop in (1, 3, 5):
        first = VideoPredictor(model.core, SIZES)
        begun = parts_of(first, frames[:stop])
        file = io.BytesIO()
        torch.save(first.state_dict(), file)
        file.seek(0)
        second = VideoPredictor(model.core, SIZES)
        second.load_state_dict(torch.load(file))
        again = [*begun, *parts_of(second, frames[stop:]), second.finish()]
        assert str(again) == str(parts)
        assert str(second.scores()) == str(whole.scores())


def test_a_window_is_a_frame() -> None:
    _, model = twins()
    for settings, message in (
        (dict(overlap=1), "overlap: expected 0 to 0 frames, got 1"),
        (dict(window=2), "window: expected 1 to 1 frames, got 2"),
        (dict(latency=1), "latency: expected 0 to 0 frames, got 1"),
    ):
        with pytest.raises(UserInputError, match=message):
            VideoPredictor(model.core, SIZES, **settings)


def test_frames_of_another_size_are_refused() -> None:
    _, model = twins()
    with pytest.raises(UserInputError, match=r"image_size=64: .* got 80x64; set the scale"):
        model.backbone(torch.zeros(1, 3, 64, 80))
    _, model = twins(DINOV3_VIT)
    assert model.backbone(torch.zeros(1, 3, 64, 80))[1].shape[-2:] == (4, 5)
    with pytest.raises(UserInputError, match="patch_size=16: frames of 84x64 are no multiple"):
        model.backbone(torch.zeros(1, 3, 64, 84))


def test_an_unknown_kind_is_refused() -> None:
    cfg = videomt_config(VIT | dict(model_type="bert"))
    with pytest.raises(UserInputError, match="model_type: expected videomt or eomt_dinov3"):
        build_from_config(cfg)


def test_without_transformers_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserInputError, match=r'^[^\n]*pip install "transformers>=5.8"$'):
        build_from_config(videomt_config())


@pytest.mark.parametrize("vit", [VIT, DINOV3_VIT], ids=["dinov2", "dinov3"])
def test_recomputation_changes_no_gradient(vit: dict[str, Any]) -> None:
    _, model = twins(vit)
    frames = noise(2)[None]
    padding = torch.zeros(1, 2, SIZE, SIZE, dtype=torch.bool)
    gradients = []
    for recompute in (False, True):
        model.train()
        for part in (model.backbone, model.head):
            part.recompute = recompute
        model.zero_grad()
        torch.manual_seed(1)
        layers = model.core.decode(frames, padding)
        sum(layer.mask_logits().square().mean() for layer in layers).backward()
        gradients.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient)
    assert any(name.startswith("backbone.layers.0") for name in gradients[0])
