"""The metric inside mmengine's loops: work directory, checkpoints, several processes."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import distributed, multiprocessing

from mmttsrn.evaluation.metrics import YouTubeVISMetric
from mmttsrn.hosts.mmdet import YouTubeVISDataset
from mmttsrn.structures import SequenceResults


class OracleModel(BaseModel):
    """Learns one weight and predicts the ground truth of the video it is given."""

    def __init__(self, predict: Callable[[int], SequenceResults]) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.predict = predict

    def forward(self, index: torch.Tensor, mode: str = "tensor"):
        if mode == "loss":
            return {"loss": (self.weight**2).sum()}
        return [{"pred_sequences": self.predict(int(i))} for i in index]


@pytest.mark.parametrize("annotated", [True, False])
def test_validation_while_training(
    annotated: bool, load_split, perfect_video, shapes_dir: Path, tmp_path: Path
) -> None:
    """Two validations and the best checkpoint; without ground truth both are skipped quietly."""
    truth = load_split()
    content = json.loads((shapes_dir / "valid.json").read_text())
    if not annotated:
        del content["annotations"]
    ann_file = tmp_path / "valid.json"
    ann_file.write_text(json.dumps(content))
    dataset = load_split(
        ann_file=str(ann_file), pipeline=[lambda video: {"index": _position(video)}]
    )
    loader = {"batch_size": 1, "num_workers": 0, "dataset": dataset}
    runner = Runner(
        model=OracleModel(lambda index: perfect_video(truth.get_data_info(index))),
        work_dir=str(tmp_path / "work"),
        train_dataloader=loader | {"sampler": {"type": "DefaultSampler", "shuffle": False}},
        val_dataloader=loader | {"sampler": {"type": "DefaultSampler", "shuffle": False}},
        train_cfg={"by_epoch": True, "max_epochs": 2},
        val_cfg={},
        val_evaluator=[YouTubeVISMetric()],
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.1}},
        default_hooks={
            "checkpoint": {
                "type": "CheckpointHook",
                "save_best": "youtube_vis/mAP",
                "rule": "greater",
            }
        },
        default_scope="mmengine",
        experiment_name=f"metric_in_runner_{annotated}",
    )
    runner.train()
    assert len(json.loads((tmp_path / "work/results.json").read_text())) == 11
    assert (tmp_path / "work/results.zip").is_file()
    best = list((tmp_path / "work").glob("best_*.pth"))
    assert len(best) == annotated
    if annotated:
        assert runner.message_hub.get_scalar("val/youtube_vis/mAP").current() == pytest.approx(1.0)


def _position(video: dict) -> int:
    return video["video_id"][0] - 1  # ids of the generated videos count from 1


def _evaluate_share(rank: int, settings: dict, perfect_video: Callable, folder: str) -> None:
    """One of two processes, which predict videos 0 2 4 and 1 3."""
    os.chdir(folder)
    distributed.init_process_group("gloo", "file://" + folder + "/meet", rank=rank, world_size=2)
    dataset = YouTubeVISDataset(**settings)
    evaluator = Evaluator(YouTubeVISMetric(outfile_prefix="two"))
    evaluator.dataset_meta = dataset.metainfo
    for index in range(rank, len(dataset), 2):
        video = perfect_video(dataset.get_data_info(index))
        evaluator.process([{"pred_sequences": video}], None)
    values = evaluator.evaluate(len(dataset))
    Path(f"rank{rank}.json").write_text(json.dumps(values))
    distributed.destroy_process_group()


def test_two_processes_write_what_one_writes(
    load_split, perfect_video, shapes_dir: Path, tmp_path: Path
) -> None:
    dataset = load_split()
    evaluator = Evaluator(YouTubeVISMetric(outfile_prefix=str(tmp_path / "one")))
    evaluator.dataset_meta = dataset.metainfo
    for index in range(len(dataset)):
        video = perfect_video(dataset.get_data_info(index))
        evaluator.process([{"pred_sequences": video}], None)
    values = evaluator.evaluate(len(dataset))
    settings = {
        "ann_file": dataset.ann_file,
        "data_prefix": {"img_path": str(shapes_dir / "valid/JPEGImages")},
        "test_mode": True,
    }
    multiprocessing.start_processes(
        _evaluate_share,
        args=(settings, perfect_video, str(tmp_path)),
        nprocs=2,
        start_method="fork",
    )
    for rank in range(2):
        assert json.loads((tmp_path / f"rank{rank}.json").read_text()) == values
    assert (tmp_path / "two.json").read_bytes() == (tmp_path / "one.json").read_bytes()
