"""mmdet's Mask2Former for videos, trained and tested by the configs of ``configs/baselines``."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmdet.models.vis import Mask2FormerVideo as HostMask2FormerVideo
from mmengine.registry import MODELS, init_default_scope
from ttsrn_batches import BATCHES, batch_of, predict, prepared

from mmttsrn.apis.config_file import load_config
from mmttsrn.cli.command_line import build_runner
from mmttsrn.datasets.synthetic import write_moving_shapes
from mmttsrn.hosts.mmdet import Mask2FormerVideo

SHAPES = "mask2former-vis_tiny_shapes"
Builder = Callable[[], Mask2FormerVideo]


@pytest.fixture
def build() -> Builder:
    """Builds the baseline for clips of 3 frames and 4 queries, in eval mode."""

    def build_model() -> Mask2FormerVideo:
        config = load_config(SHAPES)
        config.model.track_head.update(num_frames=3, num_queries=4)
        init_default_scope(config.default_scope)
        model = MODELS.build(config.model)
        model.init_weights()
        return model.eval()

    return build_model


@pytest.mark.parametrize(
    ("data", "num_classes", "parameters"), [("shapes", 4, 2_207_157), ("copypaste", 2, 2_206_963)]
)
def test_baseline_is_of_the_size_of_our_model(data: str, num_classes: int, parameters: int) -> None:
    config, ours = (
        load_config(f"mask2former-vis_tiny_{data}"),
        load_config(f"ttsrn-m2f_tiny_{data}"),
    )
    init_default_scope(config.default_scope)
    model = MODELS.build(config.model)
    backbone, whole = (sum(p.numel() for p in m.parameters()) for m in (model.backbone, model))
    assert backbone == sum(p.numel() for p in MODELS.build(ours.model.backbone).parameters())
    assert whole == parameters
    head = model.track_head
    assert head.num_classes == ours.model.head.num_classes == num_classes
    assert head.class_weight == [1.0] * num_classes + [0.1]
    assert head.num_frames == config.train_dataloader.dataset.pipeline[0].num_frames


@pytest.mark.parametrize(
    "name", sorted(BATCHES.keys() - {"one frame"})
)  # mmdet's head refuses that
def test_loss(build: Builder, name: str) -> None:
    model = build().train()
    losses = model(**prepared(model, BATCHES[name]), mode="loss")
    total, _ = model.parse_losses(losses)
    total.backward()
    assert total.isfinite()
    gradients = [p.grad for p in model.backbone.parameters()]
    assert any(grad.any() for grad in gradients if grad is not None)
    assert all(grad.isfinite().all() for grad in gradients if grad is not None)
    assert (losses["loss_mask"] > 0) == (name != "no instance")


def test_results_are_what_mmdet_predicts(build: Builder) -> None:
    """Of two videos in a batch, the second padded, both longer than a training clip."""
    model = build()
    sizes = [(64, 96), (40, 70)]
    batch = batch_of(*(([], size) for size in sizes), num_frames=5, original_size=(90, 140))
    samples = predict(model, batch)
    inputs = prepared(model, batch, training=False)
    for video, given, sample in zip(inputs["inputs"], inputs["data_samples"], samples, strict=True):
        with torch.no_grad():
            (expected,) = HostMask2FormerVideo.predict(model, video[None], [given])
        results = sample.pred_sequences
        assert (len(results), results.num_frames, results.size) == (10, 5, (90, 140))
        assert (results.video_id, results.video_length) == (1, 5)
        for t, frame in enumerate(expected):
            tracks = frame.pred_track_instances
            scores, order = tracks.scores.sort(descending=True)
            torch.testing.assert_close(results.scores, scores)
            assert torch.equal(results.labels, tracks.labels[order])
            # mmdet resizes masks twice.
            assert (results.frame_masks(t) != tracks.masks[order].numpy()).mean() < 1e-2


def test_runner_trains_and_writes_results(tmp_path: Path) -> None:
    write_moving_shapes(
        tmp_path / "data", train_clips=4, val_clips=2, num_frames=5, size=(48, 64), seed=3
    )
    config = load_config(SHAPES)
    config.work_dir = str(tmp_path / "work")
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(tmp_path / "data")
    config.train_cfg.update(max_iters=1, val_interval=1)
    config.experiment_name = "mask2former_baseline"
    runner = build_runner(config)
    before = runner.model.track_head.cls_embed.weight.detach().clone()
    runner.train()
    assert not torch.equal(runner.model.track_head.cls_embed.weight, before)
    entries = json.loads((tmp_path / "work" / "results.json").read_text())
    assert [entry["video_id"] for entry in entries] == [1] * 10 + [2] * 10
    assert all(len(entry["segmentations"]) == 5 for entry in entries)
    assert any(mask for entry in entries for mask in entry["segmentations"])
