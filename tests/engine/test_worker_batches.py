"""Batches that workers hand over."""

import os
import resource
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData
from torch.utils.data import DataLoader

from mmttsrn.engine import worker_batches
from mmttsrn.engine.worker_batches import CollateInWorker
from mmttsrn.errors import UserInputError

FRAMES = 200


@contextmanager
def few_more_files(number: int) -> Iterator[None]:
    """Let this process and its children open so many files more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + number, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def loader_of(samples: Sequence[Any], workers: int) -> DataLoader:
    to_bytes = CollateInWorker(pseudo_collate, "train_dataloader")
    timeout = 10 if workers else 0
    return DataLoader(samples, num_workers=workers, collate_fn=to_bytes, timeout=timeout)


@pytest.fixture(params=["memory", "pipe", "forbidden memory"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either way that a batch can go."""
    if request.param == "pipe":
        monkeypatch.delattr(os, "memfd_create", raising=False)
    if request.param == "forbidden memory":
        monkeypatch.setattr(os, "memfd_create", lambda name: os.open("/", os.O_WRONLY))


@pytest.mark.parametrize("files", [30, 12])
def test_a_clip_needs_few_files_and_no_shared_memory(files: int) -> None:
    frames = [InstanceData(bboxes=torch.rand(3, 4), labels=torch.arange(3)) for _ in range(FRAMES)]
    sample = {"inputs": torch.zeros(FRAMES, 3, 8, 8, dtype=torch.uint8), "data_samples": frames}
    with few_more_files(files):
        (batch,) = loader_of([sample], 1)
    assert not batch["inputs"][0].is_shared()
    for (frame,), original in zip(batch["data_samples"], frames, strict=True):
        assert torch.equal(frame.bboxes, original.bboxes)
        assert torch.equal(frame.labels, original.labels)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    "value",
    [
        torch.tensor(3.5),
        torch.zeros(0, 4),
        torch.arange(24).reshape(2, 3, 4).transpose(0, 2),
        torch.tensor([True, False]),
        torch.rand(3).to(torch.bfloat16),
        torch.rand(3, requires_grad=True),
        torch.eye(3).to_sparse(),
        torch.nn.Parameter(torch.rand(2)),
    ],
    ids=["number", "empty", "transposed", "bool", "bfloat16", "gradient", "sparse", "parameter"],
)
def test_any_tensor_arrives_as_it_was(value: torch.Tensor) -> None:
    ((found,),) = loader_of([value], 1)
    assert type(found) is type(value)
    assert (found.dtype, found.requires_grad) == (value.dtype, value.requires_grad)
    assert torch.equal(found.to_dense(), value.to_dense())


@pytest.mark.usefixtures("way")
def test_masks_and_tensors_can_be_changed_where_they_arrive() -> None:
    sample = {"masks": BitmapMasks(np.ones((1, 4, 4), np.uint8), 4, 4), "boxes": torch.zeros(2)}
    (batch,) = loader_of([sample], 1)
    batch["masks"][0].masks[:] = 0
    batch["boxes"][0] += 1
    assert batch["boxes"][0].tolist() == [1, 1]


def test_without_workers_a_batch_is_what_was_collated() -> None:
    value = torch.zeros(2)
    ((found,),) = loader_of([value], 0)
    assert found is value


def test_samples_that_cannot_be_collated_are_told() -> None:
    with pytest.raises(UserInputError, match="train_dataloader: collate_fn: RuntimeError: stack"):
        CollateInWorker(torch.stack, "train_dataloader")([torch.zeros(2), torch.zeros(3)])


def test_a_worker_says_at_once_that_it_cannot_hand_a_batch_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An error in its thread that writes to the pipe would not reach the main process."""
    monkeypatch.setattr(worker_batches, "get_worker_info", object)
    with pytest.raises(UserInputError, match=r"train_dataloader: a worker cannot .*num_workers=0"):
        CollateInWorker(pseudo_collate, "train_dataloader")([threading.Lock()])
