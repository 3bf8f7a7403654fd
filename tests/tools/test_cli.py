"""The commands as a user runs them: their errors come before anything is built or written."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


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
