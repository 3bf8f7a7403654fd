"""The harness that gives broken inputs to the commands."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
ERROR = "import sys; print('error: x.json: videos: missing', file=sys.stderr)\n"


@pytest.fixture
def judge(tmp_path, monkeypatch):
    """Gives what the harness says of a tool that should refuse its input."""
    monkeypatch.syspath_prepend(str(TOOLS / "analysis_tools"))
    from broken_inputs import cases, running

    monkeypatch.setattr(running, "LIMIT_SECONDS", 1)

    def run(program: str) -> str:
        tool = tmp_path / "tool.py"
        tool.write_text(program)
        monkeypatch.setitem(cases.COMMANDS, "evaluate", (str(tool), ""))
        case = cases.Case("evaluate", "a fault", "refused", cases.instead("an argument"))
        [outcome] = running.run_cases([case], None, tmp_path / "cases", 1)
        return outcome.problem

    return run


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        (ERROR + "sys.exit(2)", ""),
        ("import argparse; argparse.ArgumentParser(prog='tool.py').parse_args()", ""),
        ("pass", "is accepted, should be refused"),
        (ERROR, "is accepted, should be refused"),
        (ERROR + "sys.exit(1)", "ends with status 1"),
        ("import sys; sys.exit(2)", "prints 0 lines of error, expected one, the last"),
        (ERROR * 2 + "sys.exit(2)", "prints 2 lines of error, expected one, the last"),
        ("1 / 0", "prints a traceback"),
        ("import os; os.kill(os.getpid(), 9)", "is killed by SIGKILL"),
        ("while True: pass", "runs longer than 1 s"),
        (ERROR + "open('code_ran', 'w'); sys.exit(2)", "has run code from its input"),
        (ERROR + "open('out/a.json', 'w').write('{'); sys.exit(2)", "leaves out/a.json, which "),
        (ERROR + "open('out/a.1.partial.pth', 'w'); sys.exit(2)", "leaves out/a.1.partial.pth"),
        (ERROR + "open('out/a.mp4', 'w'); sys.exit(2)", "leaves out/a.mp4, which cannot be read"),
    ],
)
def test_what_is_not_right_is_seen(judge, program, problem):
    found = judge(program)
    assert found.startswith(problem)
    assert bool(found) == bool(problem)


@pytest.mark.slow
def test_broken_results_are_refused():
    command = [sys.executable, str(TOOLS / "analysis_tools" / "try_broken_inputs.py")]
    part = ["--commands", "submit", "overlay", "report", "--only", "results: "]
    done = subprocess.run([*command, *part], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-2].startswith("| all | ")
