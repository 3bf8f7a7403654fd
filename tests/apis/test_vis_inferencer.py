"""The released tiny model on frames: typed results, frame by frame and as sequences."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from pycocotools import mask as mask_utils

import mmttsrn
from mmttsrn.apis import VISInferencer
from mmttsrn.apis.config_file import load_config
from mmttsrn.datasets.synthetic_scenes import draw_object, render_clip
from mmttsrn.errors import UserInputError
from mmttsrn.hosts.mmdet.clip_models import Mask2FormerClips

RELEASE = "ttsrn-m2f_tiny_shapes"
T = 9


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    """(T, 96, 160, 3) RGB frames of two moving shapes."""
    rng = np.random.default_rng(5)
    objects = [draw_object(rng, label, T, (96, 160), stays=True) for label in (0, 3)]
    return render_clip(objects, T, (96, 160), rng)[0][..., ::-1]


@pytest.fixture(scope="module")
def inferencer() -> VISInferencer:
    return VISInferencer(RELEASE, device="cpu")


def test_it_is_at_the_top_of_the_package() -> None:
    assert mmttsrn.VISInferencer is VISInferencer
    with pytest.raises(AttributeError, match="Nothing"):
        mmttsrn.Nothing  # noqa: B018


def test_results_of_each_frame(inferencer: VISInferencer, frames: np.ndarray) -> None:
    results = list(inferencer(frames))
    assert [result.index for result in results] == list(range(T))
    assert any(len(result) for result in results)
    for result, frame in zip(results, frames, strict=True):
        n = len(result)
        assert np.array_equal(result.image, frame)
        assert result.size == (96, 160)
        assert result.masks.shape == (n, 96, 160)
        assert result.masks.any((1, 2)).all()
        assert result.boxes.shape == (n, 4)
        assert (result.scores >= inferencer.score_thr).all()
        assert result.scores.tolist() == sorted(result.scores.tolist(), reverse=True)
        assert set(result.names) <= {"disc", "square", "triangle", "star"}
        assert len(set(result.instance_ids.tolist())) == n
        for mask, box in zip(result.masks, result.boxes.int().tolist(), strict=True):
            assert mask[box[1] : box[3], box[0] : box[2]].sum() == mask.sum()


def test_coco_results_hold_the_same(inferencer: VISInferencer, frames: np.ndarray) -> None:
    result = next(result for result in inferencer(frames) if len(result))
    entry = result.to_coco()[0]
    assert entry["image_id"] == result.index
    assert entry["category_id"] == int(result.labels[0]) + 1
    assert result.to_coco([7, 8, 9, 10])[0]["category_id"] == int(result.labels[0]) + 7
    assert np.array_equal(mask_utils.decode(entry["segmentation"]), result.masks[0])
    x, y, w, h = entry["bbox"]
    assert result.boxes[0].tolist() == pytest.approx([x, y, x + w, y + h])


def test_supervision_gets_detections(
    inferencer: VISInferencer, frames: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package is no requirement: a stand-in takes what it is given."""
    import sys
    from types import SimpleNamespace

    monkeypatch.setitem(sys.modules, "supervision", SimpleNamespace(Detections=dict))
    result = next(result for result in inferencer(frames) if len(result))
    detections = result.to_supervision()
    assert detections["xyxy"].shape == (len(result), 4)
    assert np.array_equal(detections["tracker_id"], result.instance_ids.numpy())
    assert detections["data"]["class_name"].tolist() == result.names


def test_sequences_of_the_whole_video(inferencer: VISInferencer, frames: np.ndarray) -> None:
    sequences = inferencer.sequences(frames)
    assert sequences.num_frames == T
    last = list(inferencer(frames))[-1]
    by_id = dict(zip(last.instance_ids.tolist(), last.scores.tolist(), strict=True))
    assert set(by_id.values()) <= set(sequences.scores.tolist())  # final at the last frame
    entries = sequences.to_ytvis([1, 2, 3, 4])
    assert len(entries) == len(sequences)
    assert all(len(entry["segmentations"]) == T for entry in entries)


def test_each_frame_at_once(inferencer: VISInferencer, frames: np.ndarray) -> None:
    live = VISInferencer(inferencer.model, device="cpu", latency=0)
    read = []

    def camera():
        for number, frame in enumerate(frames):
            read.append(number)
            yield frame

    for result in live(camera()):
        assert read[-1] == result.index
    assert read == list(range(T))


@pytest.mark.parametrize("name", [RELEASE, "mask2former-vis_tiny_shapes"])
def test_results_are_those_of_the_command_for_testing(name: str, frames: np.ndarray) -> None:
    """The same frames through the host's interface: longer than a window of either model."""
    from mmdet.structures import DetDataSample, TrackDataSample

    torch.manual_seed(0)
    inferencer = VISInferencer(name, device="cpu")
    sample = TrackDataSample()
    sample.video_data_samples = [
        DetDataSample(metainfo=dict(img_shape=(96, 160), ori_shape=(96, 160))) for _ in frames
    ]
    pixels = torch.from_numpy(frames[..., ::-1].transpose(0, 3, 1, 2).copy())
    (tested,) = inferencer.model.test_step(dict(inputs=[pixels], data_samples=[sample]))
    sequences = inferencer.sequences(frames)
    assert len(sequences)
    assert tested.pred_sequences.counts == sequences.counts
    assert torch.equal(tested.pred_sequences.scores, sequences.scores)
    assert torch.equal(tested.pred_sequences.ids, sequences.ids)


def test_two_videos_at_once_do_not_mix(inferencer: VISInferencer, frames: np.ndarray) -> None:
    other = frames[:, :, ::-1].copy()
    pairs = list(zip(inferencer(frames), inferencer(other), strict=True))
    for both, video in zip(zip(*pairs, strict=True), (frames, other), strict=True):
        for result, alone in zip(both, inferencer(video), strict=True):
            assert result.counts == alone.counts
            assert np.array_equal(result.image, alone.image)


def test_videos_in_threads_do_not_mix(inferencer: VISInferencer, frames: np.ndarray) -> None:
    videos = [frames, frames[:, :, ::-1], frames[:, :64], frames[::-1]]
    alone = [inferencer.sequences(video) for video in videos]
    assert any(len(results) for results in alone)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            for results, expected in zip(
                pool.map(inferencer.sequences, videos), alone, strict=True
            ):
                assert results.counts == expected.counts
                assert torch.equal(results.scores, expected.scores)


def test_boxes_without_masks(frames: np.ndarray) -> None:
    """Of the paper's model, whose mask head is then not run."""
    torch.manual_seed(0)
    cfg = load_config("ttsrn_tiny_shapes")
    whole = VISInferencer(cfg, device="cpu", score_thr=0.0)
    boxes = VISInferencer(whole.model, device="cpu", score_thr=0.0, boxes_only=True)
    boxes.model.mask_head.register_forward_hook(lambda *_: pytest.fail("the mask head is run"))
    for result in boxes(frames):
        assert result.masks is None
        assert len(result) == len(result.boxes)
        assert "segmentation" not in result.to_coco()[0]


def test_boxes_of_a_model_of_masks_are_refused(inferencer: VISInferencer) -> None:
    with pytest.raises(UserInputError, match="no boxes without masks"):
        VISInferencer(inferencer.model, device="cpu", boxes_only=True)
    with pytest.raises(UserInputError, match="no boxes without masks"):
        VISInferencer(device="cpu", boxes_only=True)  # its boxes serve to find the masks


def test_a_frame_that_resizing_leaves_nothing_of_is_told(inferencer: VISInferencer) -> None:
    with pytest.raises(UserInputError, match="frame of 4096x2 pixels: the test pipe"):
        inferencer.sequences(np.zeros((1, 2, 4096, 3), np.uint8))


def test_one_frame_is_a_video(inferencer: VISInferencer, frames: np.ndarray) -> None:
    assert [result.index for result in inferencer(frames[:1])] == [0]


def test_the_model_of_mmdetection_runs_window_by_window(
    frames: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Mask2FormerClips, "clip_length", 4)
    cfg = load_config("mask2former-vis_tiny_shapes")
    cfg.model.type = "mmdet.Mask2FormerVideo"
    torch.manual_seed(0)
    inferencer = VISInferencer(cfg, device="cpu", score_thr=0.0)
    seen = []
    inferencer.model.track_head.register_forward_hook(
        lambda module, inputs, outputs: seen.append(len(inputs[0][0]))
    )
    results = list(inferencer(frames))
    assert len(results) == T
    assert max(seen) == 4
    assert all(len(result) <= 10 for result in results)


@pytest.mark.skipif(torch.cuda.is_available(), reason="its absence cannot be shown with a GPU")
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserInputError, match=r"device='cuda': give auto, cpu, or a device"):
        VISInferencer(RELEASE, device="cuda")
