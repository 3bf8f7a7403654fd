"""Kills trainings at random moments, lets them go on, and compares what comes out.

Each row of the table is a small training on generated data, once without interruption and once
killed (SIGKILL) several times, after a random step or inside the writing of a checkpoint, and gone
on with by --resume. Weights and state of the optimizer have to be equal in every bit.
"""

import argparse
import itertools
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from mmttsrn.checkpoints.run_checkpoints import latest_readable
from mmttsrn.cli.user_errors import report_user_errors
from mmttsrn.datasets.synthetic import write_moving_shapes
from mmttsrn.formats.output_files import PARTIAL_MARK

TOOLS = Path(__file__).resolve().parents[1]
STEPS = 24
# The config of `make demo`, in little.
BY_ITERATION = f"""
_base_ = ["mmttsrn::vis/ttsrn-m2f_tiny_shapes.py"]
train_cfg = dict(max_iters={STEPS})
param_scheduler = [
    dict(type="OneCycleLR", eta_max=8e-4, total_steps={STEPS}, by_epoch=False, begin=0, end={STEPS})
]
default_hooks = dict(checkpoint=dict(interval=5))
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
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1))
train_dataloader = dict(sampler=dict(_delete_=True, type="mmdet.TrackImgSampler"))
"""
COMMON = """
data_root = "{data}/"
train_dataloader = dict(
    batch_size=2, num_workers={workers}, persistent_workers={workers} > 0,
    dataset=dict(data_root=data_root),
)
val_dataloader = val_evaluator = val_cfg = None
test_dataloader = dict(dataset=dict(data_root=data_root))
default_hooks = dict(logger=dict(interval=1))
randomness = dict(seed=3)
"""
CONFIGS = {"iterations": BY_ITERATION, "epochs": BY_EPOCH}


@dataclass
class Case:
    """A training.

    Attributes:
        kind: Of ``CONFIGS``.
        workers: Of the data loader.
        processes: That train together.
    """

    kind: str
    workers: int
    processes: int

    def command(self, folder: Path, name: str) -> list[str]:
        """Command that trains in ``folder / name``, and goes on there."""
        config = folder / f"{self.kind}_{self.workers}.py"
        arguments = ["--work-dir", str(folder / name), "--resume"]
        if self.processes == 1:
            return [sys.executable, str(TOOLS / "train.py"), str(config), *arguments]
        launcher = [str(TOOLS / "dist_train.sh"), str(config), str(self.processes)]
        return ["env", f"PYTHON={sys.executable}", "bash", *launcher, *arguments]

    def write_config(self, folder: Path) -> None:
        """Write the config of the case."""
        base = folder / f"{self.kind}.py"
        base.write_text(CONFIGS[self.kind])
        text = f'_base_ = ["./{base.name}"]\n' + COMMON.format(
            data=folder / "data", workers=self.workers
        )
        (folder / f"{self.kind}_{self.workers}.py").write_text(text)


def run(command: list[str], log: Path) -> None:
    """Run to the end."""
    with log.open("a") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(f"{log}: exit status {done.returncode}\n{log.read_text()[-2000:]}")


def run_and_kill(command: list[str], work_dir: Path, log: Path, step: int | None) -> str:
    """Run until some steps are done and a moment more, or a checkpoint is being written; then kill.

    Returns:
        What was hit; empty when the training had ended before.
    """
    start = log.stat().st_size if log.exists() else 0
    with log.open("a") as file:
        process = psutil.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    old = set(work_dir.glob(f"*{PARTIAL_MARK}*"))
    delay = random.random() * 0.3
    while process.poll() is None:
        if step is None:
            if set(work_dir.glob(f"*{PARTIAL_MARK}*")) - old:
                break
            time.sleep(0.0005)
        else:
            with log.open() as file:
                file.seek(start)
                is_there = file.read().count("(train) ") >= step
            if is_there:
                time.sleep(delay)
                break
            time.sleep(0.01)
    if process.poll() is not None:
        return ""
    children = process.children(recursive=True)
    process.kill()
    process.wait()
    if "dist_train.sh" in " ".join(command):  # a machine that fails: all processes at once
        for child in children:
            if child.is_running():
                child.kill()
    _, alive = psutil.wait_procs(children, timeout=3)
    if alive:
        raise RuntimeError(f"{len(alive)} of {len(children)} processes are left")
    is_inside = bool(set(work_dir.glob(f"*{PARTIAL_MARK}*")) - old)
    return "in a write" if is_inside else "after a step"


def differences(one: Path, other: Path) -> int:
    """Tensors of two runs' last checkpoints that differ, out of weights and optimizer."""
    states = []
    for folder in (one, other):
        path, _ = latest_readable(folder)
        assert path is not None, folder
        content = torch.load(path, map_location="cpu", weights_only=False)
        found = dict(content["state_dict"])
        for index, values in content["optimizer"]["state"].items():
            found |= {f"{index}.{key}": value for key, value in values.items()}
        states.append(found)
    assert states[0].keys() == states[1].keys()
    return sum(
        not torch.equal(torch.as_tensor(value), torch.as_tensor(states[1][key]))
        for key, value in states[0].items()
    )


def check(case: Case, folder: Path, kills: int) -> tuple[list[str], int]:
    """Train once as a whole and once with kills; what was hit, and the tensors that differ."""
    case.write_config(folder)
    name = f"{case.kind}_{case.workers}_{case.processes}"
    run(case.command(folder, f"{name}_whole"), folder / f"{name}_whole.log")
    command, work_dir = case.command(folder, name), folder / name
    hits = []
    for number in range(kills):
        step = None if number % 2 else random.randint(1, 7)
        hits.append(run_and_kill(command, work_dir, folder / f"{name}.log", step))
    run(command, folder / f"{name}.log")
    left = list(work_dir.glob(f"*{PARTIAL_MARK}*"))
    if left:
        raise RuntimeError(f"{left[0]} is left")
    return [hit for hit in hits if hit], differences(folder / f"{name}_whole", work_dir)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--configs", nargs="+", choices=CONFIGS, default=[*CONFIGS])
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2], help="of the loader")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--kills", type=int, default=2, help="of each training")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    return parser.parse_args()


@report_user_errors()
def main() -> int:
    """Print the table; exit status 1 when weights differ."""
    args = parse_args()
    random.seed(args.seed)
    failed = 0
    print("| config | processes | workers | killed | tensors that differ |")
    print("| --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_moving_shapes(folder / "data", 4, 1, 4, (64, 96), 2)
        for kind, count, workers in itertools.product(args.configs, args.processes, args.workers):
            hits, different = check(Case(kind, workers, count), folder, args.kills)
            failed += different > 0
            print(f"| {kind} | {count} | {workers} | {', '.join(hits)} | {different} |", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
