"""A training that is stopped after any step and goes on ends as if it had not been stopped."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from mmttsrn.checkpoints.host_loading import load_for_host
from mmttsrn.datasets.seeded_sampling import SeededIndex, SeededSampler
from mmttsrn.datasets.youtube_vis import YouTubeVISVideos
from mmttsrn.engine.hooks import SafeCheckpointHook, SafeWriteCheckpointHook, StepSeedHook, StopHook
from mmttsrn.engine.stopping import TrainingStopped, stop_request
from mmttsrn.errors import UserInputError

SAMPLES, BATCH = 10, 2
RUN_NUMBERS = itertools.count()


class RandomVideos(YouTubeVISVideos):
    """Samples that are random and tell which one they are."""

    METAINFO: dict[str, Any] = {}
    _metainfo: dict[str, Any] = {}
    _fully_initialized = True
    test_mode = False
    max_refetch = 0

    def __init__(self) -> None:
        pass

    def __len__(self) -> int:
        return SAMPLES

    def prepare_data(self, index: int) -> dict[str, torch.Tensor]:
        return {"x": torch.rand(3) + index}


class Regression(BaseModel):
    """A model with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 1))

    def forward(self, x, mode="tensor"):
        return {"loss": (self.layers(x) - 1).square().mean()}


class StopAfter(Hook):
    """Asks the training to stop, as a signal does."""

    def __init__(self, step: int) -> None:
        self.step = step

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        stop_request.is_set = runner.iter + 1 == self.step


def build(
    folder: Path, loop: str, workers: int, hooks: Sequence[Hook], max_keep: int = 1, **settings
) -> Runner:
    by_epoch = loop == "epochs"
    torch.manual_seed(5)
    return Runner(
        model=Regression(),
        work_dir=str(folder),
        train_dataloader=dict(
            dataset=RandomVideos(),
            batch_size=BATCH,
            num_workers=workers,
            persistent_workers=workers > 0,
            sampler=dict(type="DefaultSampler" if by_epoch else "InfiniteSampler", shuffle=True),
            collate_fn=dict(type="default_collate"),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=3) if by_epoch else dict(
            type="IterBasedTrainLoop", max_iters=15
        ),
        optim_wrapper=dict(optimizer=dict(type="AdamW", lr=0.1)),
        param_scheduler=[dict(type="ExponentialLR", gamma=0.9, by_epoch=by_epoch)],
        default_hooks=dict(
            checkpoint=SafeWriteCheckpointHook(
                by_epoch=by_epoch, interval=1 if by_epoch else 5, max_keep_ckpts=max_keep
            )
        ),
        custom_hooks=[StepSeedHook(), StopHook(), SafeCheckpointHook(), *hooks],
        default_scope="mmengine",
        experiment_name=f"exact_resume_{next(RUN_NUMBERS)}",
        **settings,
    )  # fmt: skip


def last(folder: Path) -> dict[str, Any]:
    return load_for_host(str(folder / (folder / "last_checkpoint").read_text()))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("loop", ["iterations", "epochs"])
def test_weights_are_those_of_a_whole_run(loop: str, workers: int, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    # Seeds that are drawn: the run that goes on has to take them over.
    build(whole, loop, workers, [], randomness=dict(seed=4)).train()
    for stops, resume in ((3, False), (9, True), (None, True)):  # in the first and second epoch
        hooks = [] if stops is None else [StopAfter(stops)]
        randomness = dict(seed=4) if not resume else dict(seed=None)
        runner = build(parts, loop, workers, hooks, resume=resume, randomness=randomness)
        if stops is None:
            runner.train()
            continue
        with pytest.raises(TrainingStopped, match=f"stopped after {stops} iterations"):
            runner.train()
        stop_request.is_set = False
        assert last(parts)["meta"]["iter"] == stops
    expected, found = last(whole), last(parts)
    for name, value in expected["state_dict"].items():
        assert torch.equal(found["state_dict"][name], value), name
    assert found["meta"]["iter"] == expected["meta"]["iter"] == 15
    # What was saved within an epoch has gone, and of the others the last one is kept.
    name = "epoch_3.pth" if loop == "epochs" else "iter_15.pth"
    assert {path.name for path in parts.glob("*.pth")} == {name}


def test_a_moved_work_folder_and_a_broken_checkpoint_are_no_obstacle(tmp_path: Path) -> None:
    build(tmp_path / "a", "iterations", 0, [], max_keep=3, randomness=dict(seed=4)).train()
    expected = last(tmp_path / "a")
    moved = (tmp_path / "a").rename(tmp_path / "b")
    path = moved / "iter_15.pth"
    path.write_bytes(path.read_bytes()[:2000])
    build(moved, "iterations", 0, [], max_keep=3, resume=True, randomness=dict(seed=4)).train()
    for name, value in expected["state_dict"].items():
        assert torch.equal(last(moved)["state_dict"][name], value), name


def test_an_interrupted_write_takes_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    runner = build(folder, "iterations", 0, [], randomness=dict(seed=4))

    def fail_at_the_second(target: int) -> None:
        if len(list(folder.glob("iter_*.pth"))) == 2:
            raise OSError("no space left")

    monkeypatch.setattr("os.fsync", fail_at_the_second)
    with pytest.raises(OSError, match="no space left"):
        runner.train()
    monkeypatch.undo()
    assert [path.name for path in folder.glob("*.pth")] == ["iter_5.pth"]
    assert last(folder)["meta"]["iter"] == 5
    (folder / "iter_10.1.partial.pth").write_bytes(b"of a process that was killed")
    build(folder, "iterations", 0, [], resume=True, randomness=dict(seed=4)).train()
    assert [path.name for path in folder.glob("*.pth")] == ["iter_15.pth"]


def test_seeds_belong_to_places_not_to_workers() -> None:
    whole = list(SeededSampler(range(8), seed=1, rank=0))
    assert [index.value for index in whole] == list(range(8))
    assert len({index.seed for index in whole}) == 8
    rest = SeededSampler(range(8), seed=1, rank=0)
    rest.skipped = 3
    assert list(rest) == whole[3:]
    assert {index.seed for index in rest}.isdisjoint({index.seed for index in whole})  # epoch 2
    for other in (SeededSampler(range(8), seed=2, rank=0), SeededSampler(range(8), 1, rank=1)):
        assert {index.seed for index in other}.isdisjoint({index.seed for index in whole})


def test_a_sample_is_the_same_wherever_it_is_loaded() -> None:
    videos = RandomVideos()
    one = videos[SeededIndex(3, 77)]
    torch.rand(5)
    assert torch.equal(videos[SeededIndex(3, 77)]["x"], one["x"])
    assert not torch.equal(videos[SeededIndex(3, 78)]["x"], one["x"])


def test_a_misspelt_argument_of_the_checkpoint_hook_is_refused() -> None:
    with pytest.raises(UserInputError, match=r"default_hooks\.checkpoint: takes no 'intervall'"):
        SafeWriteCheckpointHook(intervall=3)
