"""A training that is killed at random moments and goes on ends like one that was never stopped."""

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from commands import TOOLS

from mmttsrn.datasets.synthetic import write_moving_shapes

STEPS = 24
BY_ITERATION = f"""
_base_ = ["mmttsrn::vis/ttsrn-m2f_tiny_shapes.py"]
train_cfg = dict(max_iters={STEPS})
param_scheduler = [
    dict(type="OneCycleLR", eta_max=8e-4, total_steps={STEPS}, by_epoch=False, begin=0, end={STEPS})
]
default_hooks = dict(checkpoint=dict(interval=5), logger=dict(interval=1))
"""
# Epochs over all frames, as the full models are trained, with drop path and random crops.
BY_EPOCH = """
_base_ = [
    "mmttsrn::_base_/models/ttsrn_tiny.py",
    "mmttsrn::_base_/datasets/youtube_vis_tiny_augmented.py",
    "mmttsrn::_base_/schedules/schedule_18e.py",
    "mmttsrn::_base_/default_runtime.py",
]
train_cfg = dict(max_epochs=3)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1), logger=dict(interval=1))
"""
SAMPLER = 'sampler=dict(_delete_=True, type="mmdet.TrackImgSampler"),'
COMMON = """
data_root = "{data}/"
train_dataloader = dict(
    batch_size=2, num_workers=1, persistent_workers=True, {sampler}
    dataset=dict(data_root=data_root),
)
val_dataloader = val_evaluator = val_cfg = None
test_dataloader = dict(dataset=dict(data_root=data_root))
randomness = dict(seed=3)
"""


def command(config: Path, work_dir: Path, processes: int) -> list[str]:
    arguments = [str(config), "--work-dir", str(work_dir), "--resume"]
    if processes == 1:
        return [sys.executable, str(TOOLS / "train.py"), *arguments]
    launcher = [str(TOOLS / "dist_train.sh"), arguments[0], str(processes), *arguments[1:]]
    return ["env", f"PYTHON={sys.executable}", "bash", *launcher]


def partial_files(folder: Path) -> set[Path]:
    return set(folder.glob("*.partial*"))


def run_and_kill(words: list[str], work_dir: Path, log: Path, step: int | None) -> str:
    """Kill a training after a step and a moment more, or, without one, inside of a write.

    Returns where it was; empty when the training had ended before.
    """
    old = partial_files(work_dir)
    with log.open("w") as file:
        process = psutil.Popen(words, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
    while process.poll() is None:
        if step is None and partial_files(work_dir) - old:
            break
        if step is not None and log.read_text().count("(train) ") >= step:
            time.sleep(random.random() * 0.3)
            break
        time.sleep(0.0005 if step is None else 0.01)
    if process.poll() is not None:
        return ""
    children = process.children(recursive=True)
    process.kill()
    process.wait()
    if words[0] == "env":  # a machine that fails: all processes at once
        for child in children:
            if child.is_running():
                child.kill()
    _, alive = psutil.wait_procs(children, timeout=3)
    assert not alive, f"{len(alive)} of {len(children)} processes are left"
    return "in a write" if partial_files(work_dir) - old else "after a step"


def last_state(work_dir: Path) -> dict[str, Any]:
    """Weights and state of the optimizer of the last checkpoint."""
    name = (work_dir / "last_checkpoint").read_text()
    content = torch.load(work_dir / name, map_location="cpu", weights_only=False)
    states = content["optimizer"]["state"].items()
    return content["state_dict"] | {
        f"{index}.{key}": torch.as_tensor(value)
        for index, values in states
        for key, value in values.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(("kind", "sampler"), [(BY_ITERATION, ""), (BY_EPOCH, SAMPLER)],
                         ids=["iterations", "epochs"])  # fmt: skip
def test_a_killed_training_ends_like_a_whole_one(
    tmp_path: Path, kind: str, sampler: str, processes: int
) -> None:
    random.seed(processes)
    write_moving_shapes(tmp_path / "data", 4, 1, 4, (64, 96), 2)
    (tmp_path / "base.py").write_text(kind)
    config = tmp_path / "config.py"
    common = COMMON.format(data=tmp_path / "data", sampler=sampler)
    config.write_text(f'_base_ = ["./base.py"]\n{common}')
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(config, whole, processes), check=True)
    words = command(config, killed, processes)
    places = [
        run_and_kill(words, killed, tmp_path / "log", step) for step in (random.randint(1, 7), None)
    ]
    assert places[0] == "after a step"
    assert places[1]
    subprocess.run(words, check=True)
    assert not partial_files(killed)
    expected, found = last_state(whole), last_state(killed)
    assert expected.keys() == found.keys()
    assert [key for key in expected if not torch.equal(expected[key], found[key])] == []
