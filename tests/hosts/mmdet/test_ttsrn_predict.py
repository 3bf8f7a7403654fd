import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from tiny_ttsrn import BOX_ONLY
from torch import Tensor
from ttsrn_batches import batch_of, predict, prepared
from vis_samples import clip_sample

from mmttsrn.hosts.mmdet import TTSRN
from mmttsrn.structures import (
    FinishedFrames,
    FrameSizes,
    InstanceSequences,
    SequencePredictions,
    SequenceResults,
    dense_masks,
)

Builder = Callable[..., TTSRN]


@pytest.mark.parametrize(
    ("num_frames", "mixed_precision"),
    [(1, False), (2, False), (3, False), (4, False), (8, False), (8, True)],
)
def test_contract(build_tiny: Builder, num_frames: int, mixed_precision: bool) -> None:
    model = build_tiny()
    batch = batch_of(([], (60, 90)), num_frames=num_frames, original_size=(120, 180))
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed_precision):
        (sample,) = predict(model, batch)
    assert len(sample) == num_frames
    results = sample.pred_sequences
    n = len(results)
    assert n > 0
    assert (results.num_frames, results.size) == (num_frames, (120, 180))
    assert results.labels.dtype == torch.int64
    assert results.labels.min() >= 0
    assert results.labels.max() < 3
    for values in (results.scores, results.frame_scores, results.boxes):
        assert values.dtype == torch.float32
    assert results.frame_scores.shape == results.visible.shape == (n, num_frames)
    assert results.boxes.shape == (n, num_frames, 4)
    assert (results.boxes[..., 2:] >= results.boxes[..., :2]).all()
    assert (results.boxes <= torch.tensor([180.0, 120.0, 180.0, 120.0])).all()
    assert len(results.counts) == n
    assert results.frame_masks(0).shape == (n, 120, 180)
    torch.testing.assert_close(results.scores, results.frame_scores.mean(1))
    assert (results.video_id, results.video_length) == (1, num_frames)


def test_results_say_of_how_long_a_video_they_are_a_part(build_tiny: Builder) -> None:
    batch = batch_of(([], (64, 96)))
    for frame in batch["data_samples"][0]:
        frame.set_metainfo(dict(ori_video_length=40))
    (sample,) = predict(build_tiny(), batch)
    assert (sample.pred_sequences.num_frames, sample.pred_sequences.video_length) == (3, 40)


def test_results_stay_with_their_sample(build_tiny: Builder) -> None:
    (sample,) = predict(build_tiny(), batch_of(([], (64, 96))))
    for moved in (sample.cpu(), sample.to("cpu"), copy.deepcopy(sample)):
        assert moved.pred_sequences.counts == sample.pred_sequences.counts
    assert sample.to_dict()["pred_sequences"] is sample.pred_sequences


@pytest.mark.parametrize(("fill_clips", "clip_lengths"), [(True, [3]), (False, [2])])
def test_a_short_video_fills_a_clip_or_is_a_shorter_one(
    build_tiny: Builder, fill_clips: bool, clip_lengths: list[int]
) -> None:
    model = build_tiny(fill_clips=fill_clips)
    lengths = []
    model.neck.register_forward_hook(lambda _, inputs, __: lengths.append(inputs[0][0].shape[1]))
    (sample,) = predict(model, batch_of(([], (64, 96)), num_frames=2))
    assert lengths == clip_lengths
    assert sample.pred_sequences.num_frames == 2
    lengths.clear()
    predict(model, batch_of(([], (64, 96)), num_frames=5))
    assert lengths == [3, 3]


def test_a_video_as_long_as_a_clip_is_one_forward_pass(build_tiny: Builder) -> None:
    model = build_tiny()
    # Beside the first video, a row and a column of cells of the second are padding.
    sizes = [(64, 96), (30, 60)]
    batch = batch_of(*(([], size) for size in sizes), original_size=(90, 140))
    samples = predict(model, batch)
    with torch.no_grad():
        outputs = model(**prepared(model, batch, training=False), mode="tensor")
    for i, (sample, size) in enumerate(zip(samples, sizes, strict=True)):
        sequences = InstanceSequences.from_clip(*(output[i] for output in outputs))
        parts = [FinishedFrames(torch.arange(4), sequences)]
        expected = model.core.post_processor(parts, FrameSizes((64, 96), size, (90, 140)))
        assert len(expected)
        assert_close_results(sample.pred_sequences, expected)


def assert_close_results(results: SequenceResults, expected: SequenceResults) -> None:
    """Equal but for rounding."""
    assert torch.equal(results.labels, expected.labels)
    for name in ("scores", "frame_scores", "boxes"):
        torch.testing.assert_close(
            getattr(results, name), getattr(expected, name), rtol=1e-4, atol=1e-3, msg=name
        )
    for t in range(expected.num_frames):
        assert (results.frame_masks(t) != expected.frame_masks(t)).mean() < 1e-3


def test_a_shorter_video_goes_back_and_forth(build_tiny: Builder) -> None:
    model = build_tiny()
    short = batch_of(([], (64, 96)), num_frames=2)
    long = batch_of(([], (64, 96)))
    long["inputs"] = [short["inputs"][0][[0, 1, 0]]]
    (sample,), (filled,) = predict(model, short), predict(model, long)
    a, b = sample.pred_sequences, filled.pred_sequences
    torch.testing.assert_close(a.frame_scores, b.frame_scores[:, :2])
    for t in range(2):
        assert np.array_equal(a.frame_masks(t), b.frame_masks(t))


def test_the_backbone_sees_each_frame_once(build_tiny: Builder) -> None:
    model, seen = build_tiny(clip_overlap=2), []
    model.backbone.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    model.predict(numbered_video(7), [clip_sample([], 7)])
    assert seen == [3, 1, 1, 1, 1]


def numbered_video(num_frames: int) -> Tensor:
    """A video whose pixels are the numbers of their frames."""
    return torch.arange(float(num_frames)).view(1, -1, 1, 1, 1).expand(1, -1, 3, 64, 96)


def with_frame_numbers(model: TTSRN, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Give each frame's maps the number of the frame, and what reads it."""
    frame_maps = model.core.frame_maps

    def marked(frames: Tensor):
        pairs = zip(frame_maps(frames), frames[:, 0, 0, 0], strict=True)
        return [(torch.full_like(maps[0], number), *maps[1:]) for maps, number in pairs]

    monkeypatch.setattr(model.core, "frame_maps", marked)
    return lambda maps: int(maps[0].flatten()[0])


def test_planted_objects_keep_their_ids_over_a_long_video(
    build_tiny: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that sees two squares, in a random slot in every clip."""
    model = build_tiny(head=dict(num_frames=4), clip_overlap=2)
    squares = {0: (0, 2), 1: (8, 1)}  # object: (left column of the 16x24 masks, class)

    numbered = with_frame_numbers(model, monkeypatch)

    def squares_in(maps: list, padding_mask: Tensor, with_masks: bool, previous: None):
        numbers = [numbered(frame) for frame in maps]
        logits, boxes = torch.zeros(1, 4, 4, 4), torch.full((1, 4, 4, 4), 0.5)
        logits[..., -1] = 8.0
        masks = torch.full((1, 4, 4, 16, 24), -5.0)
        slots = torch.randperm(4).tolist()
        for i, (left, label) in squares.items():
            for t, number in enumerate(numbers):
                masks[0, slots[i], t, number : number + 4, left : left + 6] = 5.0
                logits[0, t, slots[i], -1] = 0.0
                logits[0, t, slots[i], label] = 8.0
        return SequencePredictions(logits, boxes, dense_masks(masks)).clip(0)

    monkeypatch.setattr(model.core, "predict_clip", squares_in)
    num_frames = 11
    (sample,) = model.predict(numbered_video(num_frames), [clip_sample([], num_frames)])
    results = sample.pred_sequences
    assert sorted(results.labels.tolist()) == [1, 2]
    assert (results.scores > 0.9).all()
    rows = {squares[i][1]: squares[i][0] for i in squares}
    for t in range(num_frames):
        for label, mask in zip(results.labels.tolist(), results.frame_masks(t), strict=True):
            expected = np.zeros((64, 96), bool)
            left = rows[label] * 4
            expected[t * 4 : t * 4 + 16, left : left + 24] = True
            # The bilinear resizing rounds the corners.
            assert (mask & expected).sum() > 0.95 * (mask | expected).sum()


def test_of_a_batch_is_that_of_its_videos(build_tiny: Builder) -> None:
    """Frames of 40x90 alone are padded to 64x96, as they are beside frames of 64x96."""
    model = build_tiny()
    together = batch_of(([], (64, 96)), ([], (40, 90)), num_frames=5)
    alone = [{key: values[i : i + 1] for key, values in together.items()} for i in range(2)]
    samples = predict(model, together)
    for sample, batch in zip(samples, alone, strict=True):
        (expected,) = predict(model, batch)
        assert_close_results(sample.pred_sequences, expected.pred_sequences)


def test_box_only_model_predicts_no_masks(build_tiny: Builder) -> None:
    (sample,) = predict(build_tiny(**BOX_ONLY), batch_of(([], (64, 96)), num_frames=5))
    assert sample.pred_sequences.counts is None
    assert len(sample.pred_sequences) >= 4


@pytest.mark.parametrize("step", ["test_step", "val_step"])
def test_step_of_the_runner(build_tiny: Builder, step: str) -> None:
    """Videos of two sizes, longer than a clip; each frame is preprocessed once, by itself."""
    model = build_tiny()
    videos = [(([], (64, 96)), 7), (([], (40, 70)), 2)]
    for clip, num_frames in videos:
        batch = batch_of(clip, num_frames=num_frames, original_size=(80, 120))
        seen: list[int] = []
        hook = model.data_preprocessor.register_forward_pre_hook(
            lambda module, args, seen=seen: seen.append(len(args[0]["inputs"][0]))
        )
        (sample,) = getattr(model, step)(copy.deepcopy(batch))
        hook.remove()
        assert seen == [1] * num_frames
        (expected,) = predict(model, batch)
        assert_close_results(sample.pred_sequences, expected.pred_sequences)
