"""From a training that diverges to the step that is repeated."""

from pathlib import Path

import pytest

from mmttsrn.datasets.synthetic import write_moving_shapes


@pytest.mark.filterwarnings("ignore:.*instance named of visualizer:UserWarning")
def test_a_step_that_diverged_can_be_repeated(run_tool, tmp_path: Path) -> None:
    write_moving_shapes(tmp_path / "data", 4, 1, 4, (64, 96), 2)
    roots = [
        f"{kind}_dataloader.dataset.data_root={tmp_path}/data/" for kind in ("train", "val", "test")
    ]
    rates = ["param_scheduler.0.eta_max=1e30", "optim_wrapper.clip_grad=None"]
    options = [*roots, *rates, "train_dataloader.batch_size=2"]
    status, _, errors = run_tool(
        "train.py", "ttsrn-m2f_tiny_shapes", "--work-dir", tmp_path / "run", "--cfg-options",
        *options,
    )  # fmt: skip
    assert status == 2
    (dump,) = (tmp_path / "run").glob("diverged_step_*_rank_0.pth")
    line = errors[-1]
    assert line.startswith("error: ")
    assert f"python tools/analysis_tools/replay_step.py {dump} repeats the step" in line
    clips = {path.parent.name for path in (tmp_path / "data/train/JPEGImages").rglob("*.jpg")}
    assert sum(name in line for name in clips) in (1, 2)

    status, lines, _ = run_tool("analysis_tools/replay_step.py", dump)
    assert status == 0
    text = "\n".join(lines)
    assert "is not finite" in text or "nan" in text
    assert "first module that gives what is not finite for finite input: " in text


def test_another_file_is_refused(run_tool, tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_text("nothing")
    status, _, errors = run_tool("analysis_tools/replay_step.py", tmp_path / "x.pth")
    assert status == 2
    assert errors[-1].startswith(f"error: {tmp_path}/x.pth: not a checkpoint that PyTorch can read")
