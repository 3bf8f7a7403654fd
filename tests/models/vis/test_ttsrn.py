import copy
import warnings
from collections.abc import Callable

import pytest
import torch
from mmdet.structures import TrackDataSample
from mmengine.optim import OptimWrapper
from tiny_ttsrn import WIDTHS
from torch import Tensor
from vis_samples import Rectangle, clip_sample, random_frames

from mmttsrn.models import TTSRN
from mmttsrn.models.vis.ttsrn import padding_mask_of, reflected_indices
from mmttsrn.structures import InstanceSequences

Builder = Callable[..., TTSRN]

TWO = [Rectangle.moving(5, 2, (8, 8, 40, 32)), Rectangle.moving(9, 0, (50, 30, 70, 60))]
LEAVING = [
    Rectangle(1, 1, [(8, 8, 40, 32), None, (20, 8, 50, 32)]),
    Rectangle(2, 0, [None, None, (50, 30, 70, 60)]),
]
CROWD = [Rectangle.moving(i, i % 3, (10 * i, 10 * i, 10 * i + 15, 10 * i + 5)) for i in range(5)]
SMALL = [Rectangle.moving(3, 1, (4, 4, 30, 30))]


def batch_of(
    *clips: tuple[list[Rectangle], tuple[int, int]], num_frames: int = 3, **kwargs
) -> dict:
    """What the data loader gives: clips of (instances, frame size)."""
    return dict(
        inputs=[random_frames(num_frames, size, seed=i) for i, (_, size) in enumerate(clips)],
        data_samples=[clip_sample(rs, num_frames, size, **kwargs) for rs, size in clips],
    )


BATCHES = {
    "two instances": batch_of((TWO, (64, 96))),
    "no instance": batch_of(([], (64, 96))),
    "absent in some frames": batch_of((LEAVING, (64, 96))),
    "more than Q": batch_of((CROWD, (64, 96))),
    "two frame sizes": batch_of((TWO, (64, 96)), (SMALL, (30, 60))),
    "one clip without instance": batch_of((TWO, (64, 96)), ([], (64, 96))),
    "one frame": batch_of((TWO, (64, 96)), num_frames=1),
}


def prepared(model: TTSRN, batch: dict, training: bool = True) -> dict:
    """A copy of the batch after the model's data preprocessor."""
    return model.data_preprocessor(copy.deepcopy(batch), training)


def losses_of(model: TTSRN, batch: dict) -> dict[str, Tensor]:
    return model(**prepared(model, batch), mode="loss")


def predict(model: TTSRN, batch: dict) -> list[TrackDataSample]:
    with torch.no_grad():
        return model(**prepared(model, batch, training=False), mode="predict")


class TestLoss:
    @pytest.mark.parametrize("name", BATCHES)
    def test_is_finite_and_reaches_every_parameter(self, build_tiny: Builder, name: str) -> None:
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

    def test_keeps_the_largest_instances_with_a_warning(self, build_tiny: Builder) -> None:
        with pytest.warns(UserWarning, match="5 instances but the model predicts 4"):
            losses_of(build_tiny(), BATCHES["more than Q"])

    def test_does_not_depend_on_the_order_of_instances(self, build_tiny: Builder) -> None:
        model = build_tiny()
        expected = losses_of(model, batch_of((CROWD[:4], (64, 96))))
        order = torch.randperm(4).tolist()
        renamed = [Rectangle(70 - i, CROWD[i].label, CROWD[i].boxes) for i in order]
        permuted = losses_of(model, batch_of((renamed, (64, 96))))
        for key, value in expected.items():
            torch.testing.assert_close(permuted[key], value, msg=key)

    def test_of_a_batch_is_that_of_its_clips(self, build_tiny: Builder) -> None:
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

    def test_falls_when_trained(self, build_tiny: Builder) -> None:
        model = build_tiny()  # In eval mode, so that no dropout hides the trend.
        wrapper = OptimWrapper(torch.optim.AdamW(model.parameters(), lr=1e-3))
        batch = BATCHES["two instances"]
        steps = [model.train_step(copy.deepcopy(batch), wrapper) for _ in range(4)]
        assert steps[-1]["loss"] < 0.95 * steps[0]["loss"]
        # The runner sums what is called loss.
        total = sum(value for key, value in steps[0].items() if key != "loss")
        torch.testing.assert_close(steps[0]["loss"], total)

    def test_does_not_depend_on_the_deform_backend(self, build_tiny: Builder) -> None:
        model = build_tiny()
        other = build_tiny(mask_head=dict(deform_backend="mmcv"))
        other.load_state_dict(model.state_dict())
        losses = losses_of(other, BATCHES["two instances"])
        for key, value in losses_of(model, BATCHES["two instances"]).items():
            torch.testing.assert_close(losses[key], value, msg=key)

    def test_recomputing_changes_no_gradient(self, build_tiny: Builder) -> None:
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
    def test_in_mixed_precision(self, build_tiny: Builder, name: str) -> None:
        model = build_tiny()
        expected = losses_of(model, BATCHES[name])
        with torch.autocast("cpu", torch.bfloat16):
            losses = losses_of(model, BATCHES[name])
        for key, value in losses.items():
            torch.testing.assert_close(value.float(), expected[key], rtol=0.02, atol=0.01, msg=key)
        sum(losses.values()).backward()
        assert all(p.grad.isfinite().all() for p in model.parameters())

    def test_box_only_model_has_no_mask_losses(self, build_tiny: Builder) -> None:
        model = build_tiny(mask_head=None)
        batch = BATCHES["two instances"]
        for sample in batch["data_samples"]:
            assert "masks" in sample[0].gt_instances
        losses = losses_of(model, batch)
        assert {key.removeprefix("d0.") for key in losses} == {
            "loss_cls",
            "loss_bbox",
            "loss_giou",
        }

    def test_needs_a_criterion(self, build_tiny: Builder) -> None:
        with pytest.raises(ValueError, match=r"training needs model\.criterion"):
            losses_of(build_tiny(criterion=None), BATCHES["two instances"])

    def test_refuses_clips_that_are_too_long(self, build_tiny: Builder) -> None:
        rectangles = [Rectangle.moving(1, 0, (0, 0, 20, 20), num_frames=4)]
        with pytest.raises(ValueError, match="clips of 4 frames, but num_frames=3"):
            losses_of(build_tiny(), batch_of((rectangles, (64, 96)), num_frames=4))


class TestForward:
    @pytest.mark.parametrize("t", [1, 2, 3])
    def test_tensor_mode_gives_raw_outputs(self, build_tiny: Builder, t: int) -> None:
        model = build_tiny()
        batch = prepared(model, batch_of(([], (64, 96)), ([], (40, 90)), num_frames=t), False)
        logits, boxes, masks = model(**batch, mode="tensor")
        assert logits.shape == (2, t, 4, 4)
        assert boxes.shape == (2, t, 4, 4)
        assert masks.shape == (2, 4, t, 16, 24)

    def test_without_samples_nothing_is_padding(self, build_tiny: Builder) -> None:
        model, clip = build_tiny(), torch.rand(1, 3, 3, 64, 96)
        assert not padding_mask_of(clip, None).any()
        samples = [clip_sample([], size=(64, 96))]
        for a, b in zip(
            model(clip, mode="tensor"), model(clip, samples, mode="tensor"), strict=True
        ):
            assert torch.equal(a, b)

    def test_padding_mask_marks_what_lies_outside_the_frames(self) -> None:
        clips = torch.rand(2, 3, 3, 64, 96)
        mask = padding_mask_of(
            clips, [clip_sample([], size=(64, 96)), clip_sample([], size=(40, 90))]
        )
        assert not mask[0].any()
        assert not mask[1, :, :40, :90].any()
        assert mask[1, :, 40:].all()
        assert mask[1, :, :, 90:].all()

    def test_clips_of_a_batch_do_not_see_each_other(self, build_tiny: Builder) -> None:
        model = build_tiny()
        batch = prepared(model, batch_of(([], (64, 96)), ([], (30, 60))), training=False)
        with torch.no_grad():
            together = model(**batch, mode="tensor")
            for i in range(2):
                alone = model(
                    batch["inputs"][i : i + 1], batch["data_samples"][i : i + 1], mode="tensor"
                )
                for a, b in zip(together, alone, strict=True):
                    torch.testing.assert_close(a[i], b[0], rtol=1e-4, atol=1e-5)

    def test_garbage_in_padded_cells_does_not_reach_boxes(self, build_tiny: Builder) -> None:
        """From the backbone's maps on; the backbone itself sees the padding of the frames."""
        model = build_tiny()
        clips = torch.rand(1, 3, 3, 64, 96)
        padding = padding_mask_of(clips, [clip_sample([], size=(32, 64))])
        maps = [m[None] for m in model.backbone(clips[0])]
        garbage = [m.clone() for m in maps]
        garbage[-1][..., 1:, :] = 1e3
        garbage[-1][..., 2:] = -1e3
        clean, dirty = (model.head(model.neck(m, padding)) for m in (maps, garbage))
        assert torch.equal(clean.boxes, dirty.boxes)
        assert torch.equal(clean.logits, dirty.logits)

    def test_box_only_model(self, build_tiny: Builder) -> None:
        _, _, masks = build_tiny(mask_head=None)(torch.rand(1, 3, 3, 64, 96), mode="tensor")
        assert masks is None


class TestPredict:
    @pytest.mark.parametrize(
        ("num_frames", "mixed_precision"),
        [(1, False), (2, False), (3, False), (4, False), (8, False), (8, True)],
    )
    def test_contract(self, build_tiny: Builder, num_frames: int, mixed_precision: bool) -> None:
        model = build_tiny()
        batch = batch_of(([], (60, 90)), num_frames=num_frames, original_size=(120, 180))
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed_precision):
            (sample,) = predict(model, batch)
        assert len(sample) == num_frames
        first = sample[0].pred_track_instances
        n = len(first.instances_id)
        assert n > 0
        assert len(set(first.instances_id.tolist())) == n
        for frame in sample:
            tracks = frame.pred_track_instances
            for key in ("instances_id", "labels", "scores"):
                assert torch.equal(tracks[key], first[key]), key
            assert tracks.instances_id.dtype == tracks.labels.dtype == torch.int64
            assert tracks.labels.min() >= 0
            assert tracks.labels.max() < 3
            for key in ("scores", "frame_scores", "bboxes"):
                assert tracks[key].dtype == torch.float32, key
            assert tracks.frame_scores.shape == (n,)
            assert tracks.bboxes.shape == (n, 4)
            assert (tracks.bboxes[:, 2:] >= tracks.bboxes[:, :2]).all()
            assert (tracks.bboxes <= torch.tensor([180.0, 120.0, 180.0, 120.0])).all()
            assert tracks.masks.shape == (n, 120, 180)
            assert tracks.masks.dtype == torch.bool
        mean = torch.stack([f.pred_track_instances.frame_scores for f in sample]).mean(0)
        torch.testing.assert_close(first.scores, mean)

    def test_a_video_as_long_as_a_clip_is_one_forward_pass(self, build_tiny: Builder) -> None:
        model = build_tiny()
        # Beside the first video, a row and a column of cells of the second are padding.
        sizes = [(64, 96), (30, 60)]
        batch = batch_of(*(([], size) for size in sizes), original_size=(90, 140))
        samples = predict(model, batch)
        with torch.no_grad():
            outputs = model(**prepared(model, batch, training=False), mode="tensor")
        for i, (sample, size) in enumerate(zip(samples, sizes, strict=True)):
            sequences = InstanceSequences.from_clip(*(output[i] for output in outputs))
            expected = model.post_processor(sequences, (64, 96), size, (90, 140))
            assert len(expected.scores)
            for t, frame in enumerate(sample):
                tracks = frame.pred_track_instances
                assert torch.equal(tracks.labels, expected.labels)
                for name, values in (
                    ("scores", expected.scores),
                    ("frame_scores", expected.frame_scores[:, t]),
                    ("bboxes", expected.boxes[:, t]),
                ):
                    torch.testing.assert_close(tracks[name], values, rtol=1e-5, atol=1e-4)
                assert (tracks.masks != expected.masks[:, t]).float().mean() < 1e-3

    def test_a_shorter_video_goes_back_and_forth(self, build_tiny: Builder) -> None:
        model = build_tiny()
        short = batch_of(([], (64, 96)), num_frames=2)
        long = batch_of(([], (64, 96)))
        long["inputs"] = [short["inputs"][0][[0, 1, 0]]]
        (sample,), (filled,) = predict(model, short), predict(model, long)
        for a, b in zip(sample, filled[:2], strict=True):
            torch.testing.assert_close(
                a.pred_track_instances.frame_scores, b.pred_track_instances.frame_scores
            )
            assert torch.equal(a.pred_track_instances.masks, b.pred_track_instances.masks)

    @pytest.mark.parametrize(
        ("start", "length", "num_frames", "expected"),
        [
            (0, 3, 1, [0, 0, 0]),
            (0, 5, 2, [0, 1, 0, 1, 0]),
            (0, 7, 3, [0, 1, 2, 1, 0, 1, 2]),
            (0, 3, 3, [0, 1, 2]),
            (4, 3, 7, [4, 5, 6]),
        ],
    )
    def test_order_of_frames(
        self, start: int, length: int, num_frames: int, expected: list[int]
    ) -> None:
        assert reflected_indices(start, length, num_frames).tolist() == expected

    def test_clips_of_a_long_video_overlap(
        self, build_tiny: Builder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = build_tiny(clip_overlap=2)
        seen = []
        forward = model._forward_clips

        def record(clips: Tensor, padding_mask: Tensor):
            seen.append(clips[0, :, 0, 0, 0].tolist())
            return forward(clips, padding_mask)

        monkeypatch.setattr(model, "_forward_clips", record)
        video = torch.arange(6.0).view(1, 6, 1, 1, 1).expand(1, 6, 3, 64, 96)
        model.predict(video, [clip_sample([], 6)])
        assert seen == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]]

    def test_planted_objects_keep_their_ids_over_a_long_video(
        self, build_tiny: Builder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A model that sees two squares, in a random slot in every clip."""
        model = build_tiny(head=dict(num_frames=4), clip_overlap=2)
        squares = {0: (0, 2), 1: (8, 1)}  # object: (left column of the 16x24 masks, class)

        def squares_in(clips: Tensor, padding_mask: Tensor):
            numbers = clips[0, :, 0, 0, 0].round().int().tolist()
            logits, boxes = torch.zeros(1, 4, 4, 4), torch.full((1, 4, 4, 4), 0.5)
            logits[..., -1] = 8.0
            masks = torch.full((1, 4, 4, 16, 24), -5.0)
            slots = torch.randperm(4).tolist()
            for i, (left, label) in squares.items():
                for t, number in enumerate(numbers):
                    masks[0, slots[i], t, number : number + 4, left : left + 6] = 5.0
                    logits[0, t, slots[i], -1] = 0.0
                    logits[0, t, slots[i], label] = 8.0
            return logits, boxes, masks

        monkeypatch.setattr(model, "_forward_clips", squares_in)
        num_frames = 11
        video = torch.arange(float(num_frames)).view(1, -1, 1, 1, 1).expand(1, -1, 3, 64, 96)
        (sample,) = model.predict(video, [clip_sample([], num_frames)])
        first = sample[0].pred_track_instances
        assert sorted(first.labels.tolist()) == [1, 2]
        assert (first.scores > 0.9).all()
        rows = {squares[i][1]: squares[i][0] for i in squares}
        for t, frame in enumerate(sample):
            tracks = frame.pred_track_instances
            for label, mask in zip(tracks.labels.tolist(), tracks.masks, strict=True):
                expected = torch.zeros(64, 96, dtype=torch.bool)
                left = rows[label] * 4
                expected[t * 4 : t * 4 + 16, left : left + 24] = True
                # The bilinear resizing rounds the corners.
                assert (mask & expected).sum() > 0.95 * (mask | expected).sum()

    def test_of_a_batch_is_that_of_its_videos(self, build_tiny: Builder) -> None:
        """Frames of 40x90 alone are padded to 64x96, as they are beside frames of 64x96."""
        model = build_tiny()
        together = batch_of(([], (64, 96)), ([], (40, 90)), num_frames=5)
        alone = [{key: values[i : i + 1] for key, values in together.items()} for i in range(2)]
        samples = predict(model, together)
        for sample, batch in zip(samples, alone, strict=True):
            (expected,) = predict(model, batch)
            for a, b in zip(sample, expected, strict=True):
                a, b = a.pred_track_instances, b.pred_track_instances
                assert torch.equal(a.labels, b.labels)
                torch.testing.assert_close(a.scores, b.scores, rtol=1e-4, atol=1e-6)
                torch.testing.assert_close(a.bboxes, b.bboxes, rtol=1e-4, atol=1e-3)
                assert (a.masks != b.masks).float().mean() < 1e-3

    def test_box_only_model_predicts_no_masks(self, build_tiny: Builder) -> None:
        (sample,) = predict(build_tiny(mask_head=None), batch_of(([], (64, 96)), num_frames=5))
        for frame in sample:
            assert "masks" not in frame.pred_track_instances
            assert len(frame.pred_track_instances.bboxes) >= 4

    def test_step_of_the_runner(self, build_tiny: Builder) -> None:
        (sample,) = build_tiny().test_step(batch_of(([], (64, 96))))
        assert "pred_track_instances" in sample[0]


class TestConfig:
    def test_another_backbone_takes_the_place(self, build_tiny: Builder) -> None:
        channels = tuple(8 << i for i in range(4))
        model = build_tiny(
            backbone=dict(type="mmdet.ResNet", depth=18, base_channels=8),
            neck=dict(in_channels=channels),
            mask_head=dict(fine_channels=channels[:3]),
        )
        assert all(
            value.isfinite() for value in losses_of(model, BATCHES["two instances"]).values()
        )

    def test_another_backbone_needs_other_channels(self, build_tiny: Builder) -> None:
        model = build_tiny(neck=dict(in_channels=(*WIDTHS[:3], 64)))
        with pytest.raises(ValueError, match=r"set neck\.in_channels"):
            losses_of(model, BATCHES["two instances"])

    @pytest.mark.parametrize("overlap", [-1, 3])
    def test_overlap_must_leave_a_step(self, build_tiny: Builder, overlap: int) -> None:
        with pytest.raises(ValueError, match=f"clip_overlap={overlap} must be 0 to 2"):
            build_tiny(clip_overlap=overlap)

    def test_overlap_is_half_a_clip_by_default(self, build_tiny: Builder) -> None:
        assert build_tiny(head=dict(num_frames=6)).clip_overlap == 3
