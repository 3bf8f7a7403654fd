"""Predictions in a pickle file."""

import pickle

import pytest
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData
from pycocotools import mask as mask_utils

from mmttsrn.evaluation.metrics import DumpTrackResults


def predicted_video(video_id: int, masks: torch.Tensor) -> TrackDataSample:
    """A video with a prediction per frame; masks are (T, n, H, W)."""
    frames = []
    for frame_id, frame_masks in enumerate(masks):
        metainfo = dict(video_id=video_id, frame_id=frame_id, img_path="x", ori_shape=(6, 8))
        frame = DetDataSample(metainfo=metainfo)
        frame.pred_track_instances = InstanceData(
            instances_id=torch.arange(len(frame_masks)),
            scores=torch.full((len(frame_masks),), 0.5),
            masks=frame_masks,
        )
        frames.append(frame)
    video = TrackDataSample()
    video.video_data_samples = frames
    return video


def test_file_has_every_frame_with_encoded_masks(tmp_path):
    masks = torch.rand(2, 3, 6, 8) > 0.5
    evaluator = Evaluator(DumpTrackResults(str(tmp_path / "out.pkl")))
    videos = [predicted_video(7, masks), predicted_video(9, masks[:, :0])]
    evaluator.process(videos)
    assert evaluator.evaluate(size=2) == {}
    assert videos[0][0].pred_track_instances.masks.shape == (3, 6, 8)  # the sample is left alone

    with (tmp_path / "out.pkl").open("rb") as file:
        dumped = pickle.load(file)
    assert [video["video_id"] for video in dumped] == [7, 9]
    frame = dumped[0]["frames"][1]
    assert (frame["frame_id"], frame["ori_shape"]) == (1, (6, 8))
    assert frame["pred_track_instances"]["instances_id"].tolist() == [0, 1, 2]
    decoded = mask_utils.decode(frame["pred_track_instances"]["masks"])  # H W n
    assert torch.equal(torch.from_numpy(decoded).permute(2, 0, 1).bool(), masks[1])
    assert dumped[1]["frames"][0]["pred_track_instances"]["masks"] == []


def test_file_has_to_be_a_pickle():
    with pytest.raises(ValueError, match="pkl"):
        DumpTrackResults("out.json")
