"""What the host's metric for YouTube-VIS gets wrong, and this one right.

Repeated ids, a second validation, no predictions and no ground truth have tests of their own in
test_youtube_vis_metric.py.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from pycocotools import mask as mask_utils
from sequence_results import results_of
from torch import distributed, multiprocessing

from mmttsrn.evaluation.metrics import YouTubeVISMetric
from mmttsrn.hosts.mmdet import YouTubeVISDataset
from mmttsrn.structures import SequenceResults

SIZE = (300, 320)


def write_split(folder: Path, videos: list[list[np.ndarray]]) -> str:
    """A json with one object per video, given as its masks."""
    content = {"videos": [], "annotations": [], "categories": [{"id": 1, "name": "thing"}]}
    for video_id, masks in enumerate(videos, start=1):
        rles = [mask_utils.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in masks]
        content["videos"].append(
            {
                "id": video_id,
                "height": SIZE[0],
                "width": SIZE[1],
                "file_names": [f"{video_id}/{t}.jpg" for t in range(len(masks))],
            }
        )
        content["annotations"].append(
            {
                "id": 0,
                "video_id": video_id,
                "category_id": 1,
                "iscrowd": 0,
                "areas": [int(mask.sum()) for mask in masks],
                "bboxes": [mask_utils.toBbox(rle).tolist() for rle in rles],
                "segmentations": [
                    {"size": list(SIZE), "counts": rle["counts"].decode()} for rle in rles
                ],
            }
        )
    path = folder / "valid.json"
    path.write_text(json.dumps(content))
    return str(path)


def load(ann_file: str) -> YouTubeVISDataset:
    return YouTubeVISDataset(
        ann_file=ann_file, data_prefix={"img_path": ""}, test_mode=True, check_images=False
    )


def evaluate(metric: YouTubeVISMetric, dataset: YouTubeVISDataset, samples: list) -> dict:
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = dataset.metainfo
    for sample in samples:
        evaluator.process([{"pred_sequences": sample}], None)
    return evaluator.evaluate(len(dataset))


def frame_border() -> np.ndarray:
    """A mask of about 1200 pixels whose box is the whole frame."""
    mask = np.zeros(SIZE, bool)
    mask[0] = mask[-1] = True
    mask[:, 0] = mask[:, -1] = True
    return mask


def test_sizes_are_those_of_masks_not_of_boxes(perfect_video: Callable, tmp_path: Path) -> None:
    dataset = load(write_split(tmp_path, [[frame_border()] * 2]))
    assert frame_border().sum() == 1236
    values = evaluate(YouTubeVISMetric(), dataset, [perfect_video(dataset.get_data_info(0))])
    assert values["youtube_vis/mAP_s"] == pytest.approx(1.0)
    assert values["youtube_vis/mAP_l"] == -1.0


def test_numbers_are_not_rounded(perfect_video: Callable, tmp_path: Path) -> None:
    dataset = load(write_split(tmp_path, [[frame_border()] * 2] * 3))
    samples = [perfect_video(dataset.get_data_info(index)) for index in range(2)]
    recall = evaluate(YouTubeVISMetric(), dataset, samples)["youtube_vis/AR@100"]
    assert recall == 1.0  # of the two videos that were predicted
    empty = results_of(np.zeros((0, 2, *SIZE), bool), [], [], video_id=3)
    recall = evaluate(YouTubeVISMetric(), dataset, [*samples, empty])["youtube_vis/AR@100"]
    assert recall == pytest.approx(2 / 3, abs=1e-12)


def test_one_confident_frame_does_not_outrank_a_whole_track(
    perfect_video: Callable, tmp_path: Path
) -> None:
    """The score of a sequence is the model's, over all frames, not a mean over visible ones."""
    dataset = load(write_split(tmp_path, [[frame_border()] * 4]))
    masks = np.zeros((2, 4, *SIZE), bool)
    masks[0, :, 100:200, 100:200] = True  # the ghost of one confident frame
    masks[1] = frame_border()
    frame_scores = np.array([[0.95, 0.0, 0.0, 0.0], [0.6] * 4])
    sample = results_of(masks, [0, 0], frame_scores.mean(1), frame_scores)
    values = evaluate(YouTubeVISMetric(str(tmp_path / "results")), dataset, [sample])
    assert values["youtube_vis/mAP"] == pytest.approx(1.0)
    scores = [entry["score"] for entry in json.loads((tmp_path / "results.json").read_text())]
    assert scores == pytest.approx([0.95 / 4, 0.6])


LENGTHS = (2, 5, 1, 3, 4)


def _evaluate_share(rank: int, ann_file: str, perfect_video: Callable, folder: str) -> None:
    """One of two processes; each also gets a video of the other one, as padding."""
    os.chdir(folder)
    torch.set_num_threads(1)  # a forked process has lost the threads of its parent
    distributed.init_process_group("gloo", "file://" + folder + "/meet", rank=rank, world_size=2)
    dataset = load(ann_file)
    shares = ([0, 3, 1, 2], [3, 4])
    values = evaluate(
        YouTubeVISMetric(outfile_prefix="two"),
        dataset,
        [_shifted(perfect_video(dataset.get_data_info(index))) for index in shares[rank]],
    )
    Path(f"rank{rank}.json").write_text(json.dumps(values))
    distributed.destroy_process_group()


def _shifted(video: SequenceResults) -> SequenceResults:
    """Moves the masks by the length of the video, so that numbers are not trivial."""
    masks = np.stack([video.frame_masks(t) for t in range(video.num_frames)], 1)
    moved = np.roll(masks, video.num_frames, axis=3)
    labels, scores = video.labels.tolist(), video.scores.tolist()
    return results_of(moved, labels, scores, video_id=video.video_id)


def test_two_processes_with_videos_of_unequal_lengths_and_padding(
    perfect_video: Callable, tmp_path: Path
) -> None:
    square = np.zeros(SIZE, bool)
    square[50:90, 50:80] = True
    ann_file = write_split(tmp_path, [[square] * length for length in LENGTHS])
    dataset = load(ann_file)
    samples = [_shifted(perfect_video(dataset.get_data_info(index))) for index in range(5)]
    values = evaluate(YouTubeVISMetric(outfile_prefix=str(tmp_path / "one")), dataset, samples)
    assert 0 < values["youtube_vis/mAP"] < 1
    multiprocessing.start_processes(
        _evaluate_share,
        args=(ann_file, perfect_video, str(tmp_path)),
        nprocs=2,
        start_method="fork",
    )
    for rank in range(2):
        assert json.loads((tmp_path / f"rank{rank}.json").read_text()) == values
    assert (tmp_path / "two.json").read_bytes() == (tmp_path / "one.json").read_bytes()
