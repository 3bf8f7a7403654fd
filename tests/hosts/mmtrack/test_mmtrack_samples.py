"""MMTracking's samples to tensors, and results to its samples."""

import host_mmtrack  # noqa: F401
import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample
from sequence_results import results_of

from mmttsrn.errors import UserInputError
from mmttsrn.hosts.mmtrack.samples import (
    check_whole_video,
    clip_targets,
    order_of,
    stacked_frames,
    store_results,
)
from mmttsrn.structures import video_results

SIZE = (32, 48)


def truth(ids: list[int], frames: list[int], left: list[int]) -> InstanceData:
    """Squares of 8 pixels, one for each entry, of which ``frames`` tells the frame."""
    masks = np.zeros((len(ids), *SIZE), np.uint8)
    for mask, x in zip(masks, left, strict=True):
        mask[4:12, x : x + 8] = 1
    return InstanceData(
        bboxes=torch.tensor([[x, 4.0, x + 8, 12] for x in left]).view(-1, 4),
        labels=torch.tensor([number % 3 for number in ids], dtype=torch.int64),
        instances_id=torch.tensor(ids, dtype=torch.int64),
        map_instances_to_img_idx=torch.tensor(frames, dtype=torch.int64),
        masks=BitmapMasks(masks, *SIZE),
    )


def clip_of_key_frames() -> TrackDataSample:
    sample = TrackDataSample(metainfo=dict(frame_id=[4, 5, 4], img_shape=[SIZE] * 3))
    sample.gt_instances = truth([7, 9, 9, 7], [0, 0, 1, 2], [0, 20, 22, 4])
    return sample


def key_and_references() -> TrackDataSample:
    """Frame 5 is the key frame; its references are 2 and 8."""
    sample = TrackDataSample(
        metainfo=dict(frame_id=5, img_shape=SIZE, ref_frame_id=[2, 8], ref_img_shape=[SIZE] * 2)
    )
    sample.gt_instances = truth([7], [0], [10])
    sample.ref_gt_instances = truth([7, 7], [0, 1], [0, 20])
    return sample


def test_flat_ground_truth_becomes_sequences() -> None:
    targets = clip_targets(clip_of_key_frames(), (32, 64), True, 5)
    assert targets.labels.tolist() == [1, 0]
    assert targets.valid.tolist() == [[True, False, True], [True, True, False]]
    assert targets.masks.shape == (2, 3, 32, 64)
    assert targets.masks[1, 1].nonzero().amin(0).tolist() == [4, 22]
    torch.testing.assert_close(targets.boxes[0, 2], torch.tensor([8 / 48, 8 / 32, 8 / 48, 8 / 32]))


def test_key_frames_keep_their_order() -> None:
    assert order_of(clip_of_key_frames()) == [0, 1, 2]


def test_a_key_frame_takes_its_place_in_time_among_references() -> None:
    sample = key_and_references()
    assert order_of(sample) == [1, 0, 2]
    targets = clip_targets(sample, SIZE, True, 5)
    lefts = [mask.nonzero()[:, 1].min().item() for mask in targets.masks[0]]
    assert lefts == [0, 10, 20]
    frames = {"img": torch.full((1, 1, 3, 2, 2), 5.0), "ref_img": torch.tensor([2.0, 8.0])}
    frames["ref_img"] = frames["ref_img"].view(1, 2, 1, 1, 1).expand(1, 2, 3, 2, 2)
    stacked = stacked_frames(frames, [sample])
    assert stacked[0, :, 0, 0, 0].tolist() == [2, 5, 8]


def test_one_frame_and_no_instance() -> None:
    sample = TrackDataSample(metainfo=dict(frame_id=3, img_shape=SIZE))
    sample.gt_instances = truth([], [], [])
    targets = clip_targets(sample, SIZE, True, 5)
    assert targets.masks.shape == (0, 1, *SIZE)


def video(numbers: list[int], length: int = 3) -> list[TrackDataSample]:
    meta = dict(video_id=4, video_length=length, ori_shape=SIZE, img_shape=SIZE)
    return [
        TrackDataSample(metainfo=dict(frame_id=n, img_path=f"{n}.jpg", **meta)) for n in numbers
    ]


@pytest.mark.parametrize("numbers", [[0], [0, 1], [1, 2, 3], [0, 2, 1]])
def test_parts_of_a_video_are_refused(numbers: list[int]) -> None:
    with pytest.raises(UserInputError, match=r"video 4: expected all \d+ frames in one batch"):
        check_whole_video(video(numbers))


def test_results_go_to_the_last_sample_and_to_frames_if_asked() -> None:
    masks = np.zeros((2, 3, *SIZE), bool)
    masks[0, :, 2:9, 3:10] = True
    masks[1, 1, 12:20, 20:30] = True
    samples = video([0, 1, 2])
    store_results(samples, results_of(masks, [1, 0], [0.9, 0.4]), in_frames=False)
    [found] = video_results(samples)
    assert (found.video_id, found.video_length) == (4, 3)
    assert list(found.frame_paths) == ["0.jpg", "1.jpg", "2.jpg"]
    assert not hasattr(samples[0], "pred_track_instances")
    store_results(samples, results_of(masks, [1, 0], [0.9, 0.4]), in_frames=True)
    instances = [sample.pred_track_instances for sample in samples]
    assert [len(one) for one in instances] == [1, 2, 1]
    assert instances[1].instances_id.tolist() == [1, 2]
    assert instances[1].labels.tolist() == [1, 0]
    assert np.array_equal(instances[1].masks.numpy(), masks[:, 1])


def test_samples_without_results_are_refused() -> None:
    with pytest.raises(UserInputError, match=r"no pred_sequences"):
        video_results(video([0]))
