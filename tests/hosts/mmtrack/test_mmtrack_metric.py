"""MMTracking's metric, mended: what breaks in the base class works in ours."""

import copy
from typing import Any

import host_mmtrack  # noqa: F401
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmtrack.evaluation import YouTubeVISMetric
from mmtrack.structures import TrackDataSample
from vis_json import HEIGHT, WIDTH, square

from mmttsrn.errors import UserInputError
from mmttsrn.hosts.mmtrack import MMTrackYouTubeVISMetric

FRAMES, VIDEOS = 4, 3
CLASSES = ("cat", "dog", "fish")


def samples(video: int, with_predictions: bool = True) -> list[dict[str, Any]]:
    """Frames of a video with one object, of which a half is found, and one that is not there."""
    found = []
    for frame in range(FRAMES):
        sample = TrackDataSample(
            metainfo=dict(
                img_id=video * FRAMES + frame,
                frame_id=frame,
                video_id=video,
                video_length=FRAMES,
                ori_shape=(HEIGHT, WIDTH),
                instances=[
                    dict(
                        bbox=[frame, 4, frame + 10, 14],
                        bbox_label=video % 2,
                        mask=square(frame),
                        instance_id=video + 1,
                        ignore_flag=0,
                    )
                ],
            )
        )
        masks = torch.zeros(2, HEIGHT, WIDTH, dtype=torch.bool)
        masks[0, 4:14, frame : frame + 10 - 2 * video] = True
        masks[1, :3, :3] = True
        instances = InstanceData(
            bboxes=torch.zeros(2, 4),
            scores=torch.tensor([0.8, 0.3]),
            labels=torch.tensor([video % 2, 0]),
            instances_id=torch.tensor([0, 1]),
            masks=masks,
        )
        sample.pred_track_instances = instances if with_predictions else instances[:0]
        found.append(sample.to_dict())
    return found


def run(metric: YouTubeVISMetric, with_predictions: bool = True) -> dict[str, float]:
    metric.dataset_meta = {"CLASSES": CLASSES}
    for video in range(VIDEOS):
        for sample in copy.deepcopy(samples(video, with_predictions)):
            metric.process({}, [sample])
    return metric.evaluate(VIDEOS * FRAMES)


def test_the_base_needs_a_numpy_that_is_gone() -> None:
    with pytest.raises(AttributeError, match="float"):
        run(YouTubeVISMetric())
    assert run(MMTrackYouTubeVISMetric())["youtube_vis/segm_mAP"] > 0


def test_numbers_are_those_of_the_base(monkeypatch) -> None:
    monkeypatch.setattr(np, "float", float, raising=False)
    items = ["mAP", "mAP_50", "mAP_75", "mAP_s", "AR@1", "AR@10", "AR_s@100"]
    expected = run(YouTubeVISMetric(metric_items=items))
    found = run(MMTrackYouTubeVISMetric(metric_items=items))
    assert found.keys() == expected.keys()
    assert 0 < found["youtube_vis/segm_mAP"] < 1
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=5.001e-4), name  # the base rounds


def test_a_second_validation(monkeypatch) -> None:
    monkeypatch.setattr(np, "float", float, raising=False)
    base = YouTubeVISMetric()
    run(base)
    with pytest.raises(KeyError, match="images"):
        run(base)
    metric = MMTrackYouTubeVISMetric()
    assert run(metric) == run(metric)


def test_no_predictions(monkeypatch) -> None:
    monkeypatch.setattr(np, "float", float, raising=False)
    with pytest.raises(IndexError):
        run(YouTubeVISMetric(), with_predictions=False)
    numbers = run(MMTrackYouTubeVISMetric(), with_predictions=False)
    assert numbers["youtube_vis/segm_mAP"] == 0


def test_classes_under_the_name_of_mmdet() -> None:
    metric = MMTrackYouTubeVISMetric()
    for sample in samples(0):
        metric.process({}, [sample])
    metric.dataset_meta = {"classes": CLASSES}
    assert metric.evaluate(FRAMES)["youtube_vis/segm_mAP"] > 0


def test_samples_without_predictions_of_frames_are_refused() -> None:
    sample = samples(0)[0]
    del sample["pred_track_instances"]
    with pytest.raises(UserInputError, match=r"frame_results=True"):
        MMTrackYouTubeVISMetric().process({}, [sample])


def test_an_unknown_item_is_refused() -> None:
    with pytest.raises(UserInputError, match="metric_items: KeyError: mAP_60"):
        run(MMTrackYouTubeVISMetric(metric_items=["mAP_60"]))
