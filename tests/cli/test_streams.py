"""What commands print to: pipes without a reader, closed streams, encodings without a character."""

import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

COMMAND = """
import subprocess, sys
from pathlib import Path
from mmttsrn.cli.user_errors import report_user_errors
from mmttsrn.errors import UserInputError

print("before, not flushed")

@report_user_errors()
def main():
    for number in range(3):
        print(f"video {number}: \\u732b caf\\udce9.mp4", flush=True)
        print("progress", file=sys.stderr)
        subprocess.run([sys.executable, "-Sc", "print('a program')"], check=True)
    Path("results").touch()
    if sys.argv[1:]:
        raise UserInputError(sys.argv[1])
    print("done")

main()
"""
# What is left of the environment of the tests.
KEPT = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME") if name in os.environ}


def run(
    folder: Path,
    *words: str,
    command: str = COMMAND,
    redirected: str = "",
    **variables: str,
) -> subprocess.CompletedProcess[bytes]:
    """Run a command by a shell that redirects its streams."""
    call = [sys.executable, "-c", command, *words]
    return subprocess.run(
        ["bash", "-c", f'"$@" {redirected}', "bash", *call],
        cwd=folder,
        env=KEPT | variables,
        capture_output=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("redirected", "silent"),
    [
        ("> >(true)", ["stdout"]),
        ("2> >(true)", ["stderr"]),
        (">&-", ["stdout"]),
        ("2>&-", ["stderr"]),
        (">&- 2>&-", ["stdout", "stderr"]),
    ],
)
@pytest.mark.parametrize(("words", "status"), [((), 0), (("bad.mp4: cut off",), 2)])
def test_a_command_without_readers_ends_as_any_other(
    tmp_path: Path, redirected: str, silent: list[str], words: Sequence[str], status: int
) -> None:
    # The reader ends before the command prints.
    delayed = f"import time; time.sleep({0.3 if '>(' in redirected else 0})\n{COMMAND}"
    ended = run(tmp_path, *words, command=delayed, redirected=redirected)
    assert ended.returncode == status, ended.stderr
    assert (tmp_path / "results").exists()
    last = {"stdout": b"a program", "stderr": b"error: bad.mp4: cut off"}
    last = last if words else {"stdout": b"done", "stderr": b"progress"}
    for name, line in last.items():
        assert getattr(ended, name).splitlines()[-1:] == ([] if name in silent else [line])
    assert len(ended.stderr.splitlines()) in (0, 3 + len(words))


def test_a_terminal_that_is_gone_ends_no_command(tmp_path: Path) -> None:
    ours, terminal = pty.openpty()
    command = COMMAND.replace("def main():", "def main():\n    print('begun'); sys.stdin.read()")
    process = subprocess.Popen(
        [sys.executable, "-c", command],
        cwd=tmp_path,
        env=KEPT,
        stdin=subprocess.PIPE,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    while b"begun" not in os.read(ours, 1000):
        pass
    os.close(ours)
    process.communicate(b"", timeout=60)
    assert process.returncode == 0
    assert (tmp_path / "results").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    command = COMMAND.replace('print("before, not flushed")', "")
    ended = run(tmp_path, command=command, redirected="> /dev/full")
    assert ended.returncode == 2
    assert ended.stderr == b"error: No space left on device\n"
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"PYTHONIOENCODING": "ascii"}, rb"video 2: \u732b caf\udce9.mp4"),
        ({"PYTHONIOENCODING": "cp1252"}, rb"video 2: \u732b caf\udce9.mp4"),
        ({"PYTHONIOENCODING": "cp437"}, rb"video 2: \u732b caf\udce9.mp4"),
        ({"PYTHONUTF8": "1"}, b"video 2: \xe7\x8c\xab caf\\udce9.mp4"),
        (
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            rb"video 2: \u732b caf\udce9.mp4",
        ),
    ],
)
def test_what_a_console_lacks_is_escaped(
    tmp_path: Path, variables: dict[str, str], line: bytes
) -> None:
    ended = run(tmp_path, **variables)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-3:] == [line, b"a program", b"done"]


def test_no_password_is_printed_not_even_by_a_bug(tmp_path: Path) -> None:
    command = COMMAND.replace('print("done")', 'raise KeyError("https://bob:secret@host/x?t=abcd")')
    ended = run(tmp_path, command=command)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == b"KeyError: 'https://***@host/x?t=***'"
