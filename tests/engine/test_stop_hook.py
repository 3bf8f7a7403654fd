"""A validation during training that is asked to stop."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner
from number_training import STEPS, VALIDATED_AFTER, build

from mmttsrn.checkpoints.host_loading import load_for_host
from mmttsrn.engine.stopping import TrainingStopped, stop_request


class Ask(Hook):
    """Asks one process to stop at a batch of the first validation; keeps the batches it saw."""

    def __init__(self, batch: int, rank: int) -> None:
        self.batch, self.rank = batch, rank
        self.seen: list[int] = []

    def before_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        self.seen.append(batch_idx)
        if batch_idx == self.batch and self.rank == int(os.environ.get("RANK", 0)):
            stop_request.is_set = True


@pytest.fixture(autouse=True)
def nothing_asked():
    yield
    stop_request.is_set = False


def test_what_is_saved_are_the_weights_not_their_average(tmp_path: Path) -> None:
    def average() -> EMAHook:
        return EMAHook(momentum=0.5)

    build(tmp_path / "whole", [average()], "stop_whole").train()
    with pytest.raises(TrainingStopped, match=f"stopped after {VALIDATED_AFTER} iterations"):
        build(tmp_path / "parts", [average(), Ask(1, 0)], "stop_parts").train()
    stop_request.is_set = False
    build(tmp_path / "parts", [average()], "stop_resumed", resume=True).train()
    whole, parts = (
        load_for_host(str(tmp_path / name / f"iter_{STEPS}.pth")) for name in ("whole", "parts")
    )
    for key in ("state_dict", "ema_state_dict"):
        for name, value in whole[key].items():
            torch.testing.assert_close(parts[key][name], value, rtol=0, atol=0, msg=f"{key} {name}")


def train_in_process(rank: int, folder: Path, port: int, batch: int) -> None:
    environment = dict(RANK=rank, WORLD_SIZE=2, MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    os.environ.update({key: str(value) for key, value in environment.items()})
    torch.distributed.init_process_group("gloo")
    ask = Ask(batch, rank=1)
    try:
        build(folder, [ask], f"stop_{rank}").train()
        end = "whole"
    except TrainingStopped as stopped:
        end = f"{str(stopped).partition(' iterations')[0]} in batch {ask.seen[-1]}"
    (folder / f"{rank}.txt").write_text(end)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("batch", "end"),
    [
        (3, "stopped after 3 in batch 6"),
        (9, "stopped after 4 in batch 9"),  # the step after the validation
        (99, "whole"),
    ],
)
def test_processes_stop_after_the_same_batch(tmp_path: Path, batch: int, end: str) -> None:
    port = 29_500 + os.getpid() % 500
    context = torch.multiprocessing.start_processes(
        train_in_process, (tmp_path, port, batch), nprocs=2, join=False, start_method="spawn"
    )
    for _ in range(120):
        if context.join(timeout=1):
            break
    else:
        for process in context.processes:
            process.kill()
        pytest.fail("the processes wait for each other")
    ends = [(tmp_path / f"{rank}.txt").read_text() for rank in range(2)]
    assert ends[1] == end
    assert ends[0] == end.replace("batch 9", "batch 10")  # which has one more
