"""Frames in, results out: windows, latency, ids over a whole video, bounded state."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from perfect_model import PerfectModel, PlantedVideo, assert_perfect, switches

from mmttsrn.evaluation.ytvis import evaluate_ytvis
from mmttsrn.formats.ground_truth import read_ground_truth
from mmttsrn.inference import VideoPredictor
from mmttsrn.structures import EncodedFrames, SequenceResults

SIZE = (24, 40)
REAL = Path(__file__).resolve().parents[2] / ".." / "shared/data"


def busy_video(num_frames: int = 60) -> PlantedVideo:
    """Five squares: one stays, two cross, one enters and leaves, one hides for long and returns."""
    masks = np.zeros((5, num_frames, *SIZE), bool)
    for frame in range(num_frames):
        x = frame * 30 // num_frames
        masks[1, frame, 8:13, x : x + 6] = True
        masks[2, frame, 8:13, 30 - x : 36 - x] = True
        masks[0, frame, 1:5, 2:8] = True
        if 20 <= frame < 34:
            masks[3, frame, 14:18, x : x + 5] = True
        if frame < 12 or frame >= 43:
            masks[4, frame, 19:23, 36 - x : 40 - x] = True
    masks[2] &= ~masks[1]  # the first one passes in front
    return PlantedVideo(masks, labels=[0, 1, 1, 2, 0], num_classes=3)


def run(model: PerfectModel, **settings: Any) -> SequenceResults:
    return VideoPredictor(model, model.video.sizes, **settings).predict(model.video.frames())


def average_precision(results: SequenceResults, video: PlantedVideo) -> float:
    entries = [entry | dict(video_id=1) for entry in results.to_ytvis(range(1, 99))]
    return evaluate_ytvis(video.ground_truth(), entries).stats["mAP"]


@pytest.mark.parametrize("latency", [None, 0, "half"])
@pytest.mark.parametrize(
    ("window", "overlap"), [(4, 1), (4, 3), (8, 0), (8, 4), (15, 7), (36, 2), (36, 18), (36, 35)]
)
def test_ids_are_constant_whatever_the_windows(
    window: int, overlap: int, latency: int | str | None
) -> None:
    video = busy_video()
    delay = window // 2 if latency == "half" else latency
    model = PerfectModel(video, window, overlap)
    assert_perfect(run(model, latency=delay), video)


@pytest.mark.parametrize(
    ("name", "num_videos"),
    [
        ("davis/val.json", 4),
        ("davis/train_multi.json", 17),
        ("copypaste/train.json", 17),
        ("realvis/instances.json", 1),  # five times
    ],
)
def test_ids_are_constant_in_real_videos(name: str, num_videos: int) -> None:
    """Videos one after the other, at least 200 frames; objects enter, leave and hide."""
    if not (REAL / name).is_file():
        pytest.skip("needs real annotated videos in ../shared/data, which do not ship")
    truth = read_ground_truth(REAL / name)
    videos = list(truth.videos.values())[:num_videos]
    if num_videos == 1:
        videos *= 5
    video = PlantedVideo.of_annotations(videos, list(truth.categories), shrink=2)
    assert video.num_frames >= 200
    for window, overlap in ((4, 2), (9, 0), (9, 8), (36, 3), (36, 18)):
        results = run(PerfectModel(video, window, overlap))
        assert_perfect(results, video)
        assert average_precision(results, video) == pytest.approx(1.0)


def test_without_memory_what_returns_is_new() -> None:
    video = busy_video()
    assert len(run(PerfectModel(video, 8, 4, memory=0))) == 6
    assert len(run(PerfectModel(video, 8, 4, memory=31))) == 6  # it returns after 32 frames
    assert len(run(PerfectModel(video, 8, 4, memory=32))) == 5


def test_noise_switches_few_ids() -> None:
    """All masks are moved by a pixel; every tenth one is missing, every tenth class wrong."""
    video = busy_video()
    with_memory = [run(PerfectModel(video, 8, 4, noise=0.1, seed=s)) for s in range(5)]
    without = [run(PerfectModel(video, 8, 4, memory=0, noise=0.1, seed=s)) for s in range(5)]
    assert sum(switches(results, video) for results in with_memory) <= 5
    assert sum(switches(results, video) for results in without) >= 10


@pytest.mark.parametrize(("window", "overlap"), [(4, 2), (5, 0), (6, 5), (1, 0)])
@pytest.mark.parametrize("num_frames", [1, 3, 4, 5, 6, 7, 12, 13])
@pytest.mark.parametrize("latency", [0, 2, None])
def test_results_come_in_order_and_in_time(
    window: int, overlap: int, num_frames: int, latency: int | None
) -> None:
    latency = latency if latency is None else min(latency, window - 1)
    model = PerfectModel(busy_video(num_frames), window, overlap)
    predictor = VideoPredictor(model, model.video.sizes, latency=latency)
    done = 0
    for number, frame in enumerate(model.video.frames()):
        part = predictor.step(frame)
        done += 0 if part is None else part.num_frames
        assert done >= number + 1 - (window - 1 if latency is None else latency)
        assert len(predictor.maps) <= window
        assert len(predictor.waiting) < max(predictor.step_length, predictor.latency + 1)
    part = predictor.finish()
    done += 0 if part is None else part.num_frames
    assert done == num_frames
    assert predictor.finish() is None
    assert all(len(clip) == window for clip in model.clips)


def test_a_latency_of_nothing_is_a_clip_for_each_frame() -> None:
    model = PerfectModel(busy_video(7), 4, 1)
    predictor = VideoPredictor(model, model.video.sizes, latency=0)
    for number, frame in enumerate(model.video.frames()):
        part = predictor.step(frame)
        assert part.num_frames == 1
        assert predictor.num_frames == number + 1
    assert model.clips[-1] == [3, 4, 5, 6]
    assert predictor.finish() is None
    assert len(model.clips) == 7


def test_steps_give_what_the_whole_video_gives() -> None:
    model = PerfectModel(busy_video(), 8, 4)
    predictor = VideoPredictor(model, model.video.sizes, latency=5)
    parts: list[EncodedFrames] = []
    for frame in model.video.frames():
        part = predictor.step(frame)
        parts += [part] if part is not None else []
    parts.append(predictor.finish())
    scores = predictor.scores()
    stepped = SequenceResults.join(parts, scores, SIZE)
    again = predictor.predict(model.video.frames())
    assert torch.equal(stepped.scores, again.scores)
    assert stepped.counts == again.counts
    assert_perfect(again, model.video)


def test_state_does_not_grow() -> None:
    """Objects that come and go for 400 frames; those gone longer than the memory are forgotten."""
    masks = np.zeros((80, 400, *SIZE), bool)
    for row, mask in enumerate(masks):
        mask[5 * row : 5 * row + 9, 3 * (row % 7) : 3 * (row % 7) + 3, 4:9] = True
    video = PlantedVideo(masks, [row % 3 for row in range(80)], num_classes=3)
    model = PerfectModel(video, 6, 3, memory=20)
    predictor = VideoPredictor(model, video.sizes)
    for frame in video.frames():
        predictor.step(frame)
        if predictor.link.has_clip:
            assert len(predictor.link.looks) <= 5
            assert len(predictor.link.lost) <= 6
    predictor.finish()
    assert len(predictor.scores().ids) == 80


def test_live_scores_are_those_of_the_frames_so_far() -> None:
    model = PerfectModel(busy_video(), 8, 4)
    predictor = VideoPredictor(model, model.video.sizes, latency=0)
    for frame in model.video.frames():
        part = predictor.step(frame)
        now = predictor.scores(part.ids[part.visible[:, -1]])
        assert (now.scores > 0.9).all()
        assert len(now.ids) == model.video.masks[:, predictor.num_frames - 1].any((1, 2)).sum()
