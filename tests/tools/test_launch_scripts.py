"""The shell scripts that start several processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
SCRIPTS = sorted(path.name for path in TOOLS.glob("*.sh"))
# Prints what it is called with, one argument per line.
ECHO = "#!/bin/sh\nprintf '%s\\n' \"$@\"\n"


@pytest.fixture
def echo(tmp_path) -> Path:
    """A program that stands in for Python or srun."""
    path = tmp_path / "srun"
    path.write_text(ECHO)
    path.chmod(0o755)
    return path


def call(script: str, *arguments: str, **environment: str) -> list[str]:
    """Lines that a script prints."""
    command = ["bash", str(TOOLS / script), *arguments]
    result = subprocess.run(
        command, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", **environment}
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.mark.parametrize("script", SCRIPTS)
def test_too_few_arguments_show_the_usage(script):
    result = subprocess.run(["bash", str(TOOLS / script)], capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.startswith(f"usage: bash tools/{script} ")


def test_dist_train_passes_arguments_as_they_are(echo):
    words = call(
        "dist_train.sh", "a config.py", "2", "--work-dir", "a b", PYTHON=str(echo), PORT="12345"
    )
    assert words[0].endswith("launch.py")
    assert "--nproc_per_node=2" in words
    assert "--master_port=12345" in words
    position = words.index("a config.py")
    assert words[position - 1].endswith("train.py")
    assert words[position + 1 :] == ["--launcher", "pytorch", "--work-dir", "a b"]


def test_dist_test_passes_arguments_as_they_are(echo):
    words = call("dist_test.sh", "c.py", "a b.pth", "4", "--out", "x y.pkl", PYTHON=str(echo))
    assert "--nproc_per_node=4" in words
    position = words.index("c.py")
    assert words[position - 1].endswith("test.py")
    expected = ["c.py", "a b.pth", "--launcher", "pytorch", "--out", "x y.pkl"]
    assert words[position:] == expected


@pytest.mark.parametrize(
    ("script", "argument", "expected"),
    [
        ("slurm_train.sh", "a dir", ["--work-dir", "a dir"]),
        ("slurm_test.sh", "a b.pth", ["a b.pth"]),
    ],
)
def test_slurm_scripts(echo, script, argument, expected):
    words = call(
        script, "part", "job", "c.py", argument, "--cfg-options", "a=1",
        PATH=f"{echo.parent}:/usr/bin:/bin", PYTHON="python", GPUS="4", SRUN_ARGS="--qos high",
    )  # fmt: skip
    assert {"--gres=gpu:4", "--ntasks=4", "--qos", "high"} <= set(words)
    position = words.index("c.py")
    tail = [*expected, "--launcher", "slurm", "--cfg-options", "a=1"]
    assert words[position + 1 :] == tail


def test_dist_inference_passes_arguments_and_goes_on(echo):
    words = call("dist_inference.sh", "a b/", "3", "--model", "m", "--json", PYTHON=str(echo))
    assert "--nproc_per_node=3" in words
    position = words.index("a b/")
    assert words[position - 1].endswith("inference.py")
    assert words[position:] == ["a b/", "--resume", "--model", "m", "--json"]


def test_the_launcher_writes_the_cache_that_its_processes_read(tmp_path):
    command = [sys.executable, str(TOOLS / "launch.py"), "--nproc_per_node=0"]
    done = subprocess.run(
        command, env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)}, capture_output=True
    )
    assert done.returncode == 2
    assert list(tmp_path.rglob("*.pickle"))
