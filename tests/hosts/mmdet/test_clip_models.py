"""mmdet's own VIS models from their shipped configs, as what a VideoPredictor runs."""

from collections import Counter
from pathlib import Path
from threading import Thread

import mmdet
import pytest
import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.config import Config
from mmengine.registry import MODELS
from torch import Tensor, nn

from mmttsrn.errors import UserInputError
from mmttsrn.hosts.mmdet.clip_models import clip_model_of
from mmttsrn.inference import VideoPredictor
from mmttsrn.setup_env import register_all_modules
from mmttsrn.structures import FrameSizes, SequenceResults

CONFIGS = Path(mmdet.__file__).parent / ".mim/configs"
SIZE, T = (64, 96), 6
SMALL = dict(depth=18, init_cfg=None)


@pytest.fixture(scope="module")
def video() -> Tensor:
    """Frames (T, 3, H, W) of noise that changes a little."""
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(1, 3, *SIZE, generator=generator)
    return first + 0.3 * torch.randn(T, 3, *SIZE, generator=generator)


def build(name: str) -> nn.Module:
    register_all_modules()
    cfg = Config.fromfile(CONFIGS / name)
    if "detector" in cfg.model:
        cfg.model.detector.backbone.update(SMALL)
        cfg.model.detector.neck.in_channels = [64, 128, 256, 512]
        cfg.model.detector.test_cfg.rpn.update(nms_pre=30, max_per_img=12)
        cfg.model.detector.test_cfg.rcnn.max_per_img = 15
    else:
        cfg.model.backbone.update(SMALL)
        cfg.model.track_head.in_channels = [64, 128, 256, 512]
        cfg.model.track_head.num_queries = 12
    torch.manual_seed(0)
    return MODELS.build(cfg.model).eval()


def sample_of(num_frames: int) -> TrackDataSample:
    sample = TrackDataSample()
    sample.video_data_samples = [
        DetDataSample(
            metainfo=dict(
                frame_id=t,
                img_shape=SIZE,
                ori_shape=SIZE,
                batch_input_shape=SIZE,
                scale_factor=(1.0, 1.0),
            )
        )
        for t in range(num_frames)
    ]
    return sample


@torch.no_grad()
def test_masktrack_rcnn_keeps_the_ids_of_its_tracker(video: Tensor) -> None:
    model = build("masktrack_rcnn/masktrack-rcnn_mask-rcnn_r50_fpn_8xb1-12e_youtubevis2019.py")
    model.tracker.num_frames_retain = 2
    sample = sample_of(T)
    model.predict(video[None], [sample], rescale=False)
    tracks = [frame.pred_track_instances for frame in sample]
    assert sum(len(frame) for frame in tracks) > 5
    # The tracker gives some ids twice in a frame, which become two instances here.
    counts = [Counter(frame.instances_id.tolist()) for frame in tracks]
    twice = {identity for count in counts for identity in count if count[identity] > 1}
    empty = [frame.instances_id[~frame.masks.flatten(1).any(1)].tolist() for frame in tracks]
    odd = twice | {identity for ids in empty for identity in ids}
    again = [identity for identity in set(counts[0]) & set(counts[1]) if identity not in odd]
    assert len(again) > 2
    predictor = VideoPredictor(clip_model_of(model), FrameSizes(SIZE, SIZE, SIZE))
    for _ in range(2):  # the second video starts afresh
        predictor.reset()
        pairs: set[tuple[int, int]] = set()
        for frame, expected in zip(video, tracks, strict=True):
            part = predictor.step(frame)
            shown = expected.masks.flatten(1).any(1)
            scores, rows = expected.scores[shown].sort()
            found, own_rows = part.frame_scores[part.visible].sort()
            torch.testing.assert_close(found, scores, rtol=1e-4, atol=1e-6)
            own_ids = part.ids[part.visible[:, 0]][own_rows].tolist()
            pairs |= set(zip(own_ids, expected.instances_id[shown][rows].tolist(), strict=True))
        assert len(pairs) == len({own for own, _ in pairs})
        of_tracker = Counter(other for _, other in pairs)
        assert all(of_tracker[other] == 1 for other in of_tracker if other not in odd)


@torch.no_grad()
def test_masktrack_rcnn_predicts_two_videos_in_turn(video: Tensor) -> None:
    model = build("masktrack_rcnn/masktrack-rcnn_mask-rcnn_r50_fpn_8xb1-12e_youtubevis2019.py")
    sizes = FrameSizes(SIZE, SIZE, SIZE)
    videos = (video, video.flip(0))
    alone = [VideoPredictor(clip_model_of(model), sizes).predict(frames) for frames in videos]
    predictors = [VideoPredictor(clip_model_of(model), sizes) for _ in videos]
    parts: list[list] = [[], []]
    for pair in zip(*videos, strict=True):
        for predictor, frame, own in zip(predictors, pair, parts, strict=True):
            own.append(predictor.step(frame))
    for predictor, own, expected in zip(predictors, parts, alone, strict=True):
        results = SequenceResults.join(own, predictor.scores(), SIZE)
        assert torch.equal(results.ids, expected.ids)
        assert results.counts == expected.counts


@torch.no_grad()
def test_mask2former_in_one_window_is_that_of_mmdet(video: Tensor) -> None:
    model = build("mask2former_vis/mask2former_r50_8xb2-8e_youtubevis2019.py")
    sample = sample_of(T)
    model.predict(video[None], [sample])
    expected = sample[0].pred_track_instances
    results = VideoPredictor(clip_model_of(model), FrameSizes(SIZE, SIZE, SIZE)).predict(video)
    assert len(results) == 10
    scores, order = expected.scores.sort(descending=True)
    torch.testing.assert_close(results.scores, scores, rtol=1e-4, atol=1e-6)
    assert (results.labels == expected.labels[order]).float().mean() > 0.7  # some are equal


@torch.no_grad()
def test_mask2former_runs_in_windows(video: Tensor) -> None:
    clips = clip_model_of(build("mask2former_vis/mask2former_r50_8xb2-8e_youtubevis2019.py"))
    lengths: list[int] = []
    clips.model.track_head.register_forward_pre_hook(
        lambda head, inputs: lengths.append(len(inputs[0][0]))
    )
    predictor = VideoPredictor(clips, FrameSizes(SIZE, SIZE, SIZE), window=3, overlap=1)
    assert predictor.predict(video).num_frames == T
    assert lengths == [3, 3, 3]


@torch.no_grad()
def test_mask2former_gives_the_queries_that_its_classes_come_from(video: Tensor) -> None:
    clips = clip_model_of(build("mask2former_vis/mask2former_r50_8xb2-8e_youtubevis2019.py"))
    head = clips.model.track_head
    norm = head.transformer_decoder.post_norm

    def run_elsewhere(*_: object) -> None:
        thread = Thread(target=norm, args=(torch.zeros(1, 12, 256),))
        thread.start()
        thread.join()

    head.register_forward_hook(run_elsewhere)  # what another thread decodes is not taken
    clip = clips.predict_clip(clips.frame_maps(video[:2]), torch.zeros(SIZE, dtype=torch.bool))
    torch.testing.assert_close(head.cls_embed(clip.states), clip.logits)
    assert clip.states.shape == (12, 2, 256)
    assert not norm._forward_hooks


@torch.no_grad()
def test_other_models_are_refused() -> None:
    with pytest.raises(UserInputError, match="got Linear"):
        clip_model_of(nn.Linear(1, 1))
