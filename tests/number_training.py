"""A training of a model with one weight, for tests of what ends it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from mmttsrn.engine.hooks import SafeCheckpointHook, SafeWriteCheckpointHook, StopHook

VIDEOS = 21  # for two processes 11 and 10
STEPS, VALIDATED_AFTER = 6, 3


class Numbers(BaseModel):
    """A model whose weights change at each step."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, x: torch.Tensor, mode: str) -> Any:
        loss = (self.layer(x[:, None]) - 1).square().mean()
        return {"loss": loss} if mode == "loss" else [{"value": loss.item()}]


class Count(BaseMetric):
    """Number of videos."""

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        self.results += data_samples

    def compute_metrics(self, results: list) -> dict[str, float]:
        return {"count": len(results)}


def numbers(size: int) -> list[dict[str, torch.Tensor]]:
    return [{"x": torch.tensor(float(i))} for i in range(size)]


def loader(samples: Any) -> dict[str, Any]:
    return dict(
        dataset=samples,
        batch_size=1,
        num_workers=0,
        sampler=dict(type="DefaultSampler", shuffle=False, round_up=False),
        collate_fn=dict(type="default_collate"),
    )


def build(
    folder: Path,
    hooks: list[Hook],
    name: str,
    resume: bool = False,
    train: Any = None,
    val: Any = None,
) -> Runner:
    torch.manual_seed(5)
    return Runner(
        model=Numbers(),
        work_dir=str(folder),
        train_dataloader=loader(train or numbers(2 * STEPS)),
        train_cfg=dict(type="IterBasedTrainLoop", max_iters=STEPS, val_interval=VALIDATED_AFTER),
        val_dataloader=loader(val or numbers(VIDEOS)),
        val_evaluator=[Count()],
        val_cfg=dict(),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.001)),
        default_hooks=dict(checkpoint=SafeWriteCheckpointHook(by_epoch=False, interval=100)),
        custom_hooks=[*hooks, StopHook(), SafeCheckpointHook()],
        default_scope="mmengine",
        experiment_name=name,
        resume=resume,
    )
