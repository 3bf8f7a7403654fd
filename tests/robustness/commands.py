"""Runs commands, each in a process of its own that may crash, hang or want too much memory."""

import json
import multiprocessing
import os
import re
import resource
import runpy
import signal
import sys
import traceback
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
from faults import check_line

TOOLS = Path(__file__).resolve().parents[2] / "tools"
LIMIT_SECONDS = 60
LIMIT_BYTES = 4 * 2**30  # beside what the packages take
FORKED = multiprocessing.get_context("forkserver")  # imports them once
FORKED.set_forkserver_preload(["mmdet.apis", "mmttsrn.apis.init_model", "commands"])


@dataclass
class Ended:
    """How a command ended.

    Attributes:
        status: Exit status; below 0, the signal that has killed it.
        out: Lines of stdout.
        errors: Lines of stderr.
        folder: Where it ran.
    """

    status: int
    out: list[str]
    errors: list[str]
    folder: Path

    def check_refused(self, *says: str | int) -> None:
        """Check that it ended with one line of error, status 2, and nothing half-written."""
        text = "\n".join([*self.out, *self.errors])
        assert self.status == 2, (self.status, text)
        assert "Traceback" not in text, text
        lines = [line for line in self.errors if re.match(r"(\w+\.py: )?error: ", line)]
        assert self.errors[-1:] == lines[-1:], text
        if not lines[-1].endswith("above"):  # of several videos or entries, each is listed
            assert len(lines) == 1, text
        check_line(lines[-1] if len(lines) == 1 else " ".join(self.errors), says)
        self.check_files()

    def check_files(self) -> None:
        """Check that all files that it has left are whole, and that no code of an input ran."""
        for path in self.folder.rglob("*"):
            assert ".partial" not in path.name, path
            assert path.name != "code_ran", "code of an input ran"
        for path in (self.folder / "out").rglob("*"):
            if path.suffix == ".json" and "vis_data" not in path.parts:
                json.loads(path.read_text())
            elif path.suffix == ".zip":
                assert zipfile.ZipFile(path).testzip() is None
            elif path.suffix == ".pth":
                torch.load(path, weights_only=False)
            elif path.suffix == ".mp4":
                assert cv2.VideoCapture(str(path)).read()[0], path


def run_command(tool: str, *words: object, folder: Path) -> Ended:
    """Run a tool with arguments in a folder; its outputs belong into ``out`` there."""
    (folder / "out").mkdir(exist_ok=True)
    arguments = (TOOLS / tool, list(map(str, words)), folder)
    process = FORKED.Process(target=_run, args=arguments)
    process.start()
    process.join()
    assert process.exitcode is not None
    assert process.exitcode != -signal.SIGALRM, f"runs longer than {LIMIT_SECONDS} s"
    out, errors = ((folder / name).read_text().splitlines() for name in ("stdout", "stderr"))
    return Ended(process.exitcode, out, errors, folder)


def _run(tool: Path, words: list[str], folder: Path) -> None:
    os.setsid()
    signal.alarm(LIMIT_SECONDS)
    torch.set_num_threads(1)
    for number, name in enumerate(("stdout", "stderr"), start=1):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        setattr(sys, name, os.fdopen(number, "w", 1, closefd=False))
    os.chdir(folder)
    limit_memory(LIMIT_BYTES)
    sys.argv = [str(tool), *words]
    status = 1
    try:
        runpy.run_path(str(tool), run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def limit_memory(more: int) -> None:
    """Let this process have so many bytes of address space beside those that it has."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more, used + more))
