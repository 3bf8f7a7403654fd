"""The commands as a user runs them: their errors come before anything is built or written."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
CONFIG = "ttsrn_tiny_shapes"


def run(tool: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    """Run a tool of the repository."""
    command = [sys.executable, "-W", "ignore", str(ROOT / "tools" / tool), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300)


def assert_user_error(result: subprocess.CompletedProcess, *parts: str) -> None:
    """Exit status 2 and one line on stderr that starts with ``error:`` and has the parts."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert result.returncode == 2, result.stderr
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    for part in parts:
        assert part in lines[0]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["missing.py"], ["missing.py: there is no such config file"]),
        (
            [CONFIG, "--cfg-options", "modle.head.num_classes=3"],
            ["--cfg-options modle.head.num_classes: the config has no key 'modle'", "model?"],
        ),
        (
            [CONFIG, "--resume", "missing.pth"],
            ["missing.pth: there is no such checkpoint file"],
        ),
    ],
)
def test_train_refuses(tmp_path, arguments, parts):
    assert_user_error(run("train.py", *arguments, cwd=tmp_path), *parts)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ([CONFIG, "missing.pth"], ["missing.pth: there is no such checkpoint file"]),
        (["missing.py", "missing.pth"], ["missing.py: there is no such config file"]),
    ],
)
def test_test_refuses(tmp_path, arguments, parts):
    assert_user_error(run("test.py", *arguments, cwd=tmp_path), *parts)
    assert not list(tmp_path.iterdir())


def test_test_refuses_the_checkpoint_of_another_model(tmp_path):
    torch.save({"state_dict": {"backbone.conv1.weight": torch.zeros(1)}}, tmp_path / "other.pth")
    result = run("test.py", CONFIG, "other.pth", cwd=tmp_path)
    assert_user_error(
        result,
        "other.pth: a checkpoint of another model: ",
        "missing in it (",
        "1 unexpected (backbone.conv1.weight)",
    )
    assert not list(tmp_path.rglob("results.*"))


def test_usage_errors(tmp_path):
    result = run("test.py", CONFIG, "x.pth", "--out", "x.json", cwd=tmp_path)
    assert result.returncode == 2
    assert "argument --out: expected a name that ends with .pkl, got 'x.json'" in result.stderr
