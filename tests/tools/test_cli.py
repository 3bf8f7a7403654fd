"""The commands as a user runs them: their errors come before anything is built or written."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

TOOLS = Path(__file__).resolve().parents[2] / "tools"
CONFIG = "ttsrn_tiny_shapes"


@pytest.fixture
def refusal(monkeypatch, capsys, tmp_path):
    """Run a tool in an empty folder and return the line with which it refuses its arguments."""
    monkeypatch.chdir(tmp_path)

    def run(tool: str, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [tool, *arguments])
        with pytest.raises(SystemExit) as exit_:
            runpy.run_path(str(TOOLS / tool), run_name="__main__")
        assert exit_.value.code == 2
        return capsys.readouterr().err.strip().splitlines()[-1]

    return run


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["missing.py"], "error: missing.py: there is no such config file"),
        (
            [CONFIG, "--cfg-options", "model.type.x=3"],
            "error: --cfg-options model.type.x: TypeError: type={'x': 3} in child config cannot ",
        ),
        ([CONFIG, "--resume", "missing.pth"], "error: missing.pth: there is no such checkpoint"),
        (["mmttsrn::_base_/default_runtime.py"], "no model and no train_dataloader"),
        ([CONFIG, "--cfg-options", "model"], "expected KEY=VALUE, got 'model'"),
    ],
)
def test_train_refuses(refusal, tmp_path, arguments, expected):
    assert expected in refusal("train.py", *arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["missing.py", "x.pth"], "error: missing.py: there is no such config file"),
        ([CONFIG, "missing.pth"], "error: missing.pth: there is no such checkpoint"),
        ([CONFIG, "x.pth", "--out", "x.json"], "argument --out: expected a name that ends with"),
    ],
)
def test_test_refuses(refusal, tmp_path, arguments, expected):
    assert expected in refusal("test.py", *arguments)
    assert not list(tmp_path.iterdir())


CHECKED = [
    "train.py",
    "test.py",
    "demo.py",
    "analysis_tools/benchmark_deform_conv.py",
    "analysis_tools/get_flops.py",
    "model_converters/convert_checkpoint.py",
    "model_converters/publish_model.py",
]


@pytest.mark.parametrize("module", ["mmengine", "mmcv"])
@pytest.mark.parametrize("tool", CHECKED)
def test_a_missing_package_is_told_in_one_line(tmp_path, tool, module):
    """MMEngine is looked for by the package, the ops of MMCV by the tool; neither is there."""
    hide = (
        "import sys, runpy, importlib.metadata as metadata, importlib.util as util\n"
        "version, find_spec = metadata.version, util.find_spec\n"
        f"def hidden(name, *args): return name.removeprefix('onedl-').startswith({module!r})\n"
        "def look_up(name):\n"
        "    if hidden(name): raise metadata.PackageNotFoundError(name)\n"
        "    return version(name)\n"
        "class Finder:\n"
        "    def find_spec(self, name, *args):\n"
        "        if hidden(name): raise ModuleNotFoundError('No module named ' + name)\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    if module == "mmengine":
        hide += "metadata.version = look_up\nutil.find_spec = lambda n, *a: None\n"
    run = f"sys.argv = ['tool']\nrunpy.run_path({str(TOOLS / tool)!r}, run_name='__main__')\n"
    command = [sys.executable, "-W", "ignore", "-c", hide + run]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    lines = result.stderr.splitlines()
    assert result.returncode == 2, result.stderr
    assert len(lines) == 1
    assert lines[0].startswith("error: m")
    assert module in lines[0]
    assert "pip install" in lines[0]


def test_checkpoint_of_another_model_as_a_user_sees_it(tmp_path):
    torch.save({"state_dict": {"backbone.conv1.weight": torch.zeros(1)}}, tmp_path / "other.pth")
    command = [sys.executable, "-W", "ignore", str(TOOLS / "test.py"), CONFIG, "other.pth"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("error: other.pth: a checkpoint of another model: ")
    assert line.endswith("1 unexpected (backbone.conv1.weight)")
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.rglob("results.*"))
