"""The harness that gives random inputs to the readers."""

import ctypes
import faulthandler
import mmap
import os
from pathlib import Path

import pytest
from hypothesis import strategies as st

TOOLS = Path(__file__).resolve().parents[2] / "tools" / "analysis_tools"
PLANT = 7


@pytest.fixture
def harness(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    from fuzzing import harness

    monkeypatch.setattr(harness, "LIMIT_SECONDS", 2)
    monkeypatch.setattr(harness, "LIMIT_BYTES", 2**26)
    monkeypatch.setattr(harness, "MOST_PROBLEMS", 1)
    return harness


@pytest.fixture
def fuzz(harness, tmp_path):
    """Gives what the harness says of a reader with a fault for one of a few inputs."""

    def run(fault, seconds=60):  # it ends when the fault is found
        def read(path):
            if path.read_bytes()[0] == PLANT:
                fault()
            return path.read_bytes()[0] > 128

        inputs = st.builds(
            harness.Input, st.just("a.bin"), st.sampled_from([b"\x01", b"\xc8", bytes([PLANT])])
        )
        reader = harness.Reader("planted", inputs, read, lambda item, random: item)
        (tmp_path / "scratch").mkdir()
        return harness.fuzz(reader, seconds, 0, tmp_path / "scratch", tmp_path / "keep")

    return run


def crash() -> None:
    faulthandler.disable()  # which prints the stack of the tests
    ctypes.string_at(0)


def endless() -> None:
    while True:
        pass


def wrong_exception() -> None:
    raise KeyError("x")


def warning_of_numpy() -> None:
    import numpy as np

    np.float64(1e308) * np.float64(10)


def memory() -> None:
    # Not of malloc, which may have that much from tests before.
    with mmap.mmap(-1, 2**27) as area:
        for _ in range(2**7):
            area.write(b"x" * 2**20)


def code() -> None:
    os.system("true")


def code_unseen() -> None:
    Path("code_ran").touch()


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (crash, "is killed by SIGSEGV"),
        (lambda: os._exit(3), "ends the process with status 3"),
        (endless, "runs longer than 2 s"),
        (wrong_exception, "raises KeyError in test_fuzz_readers.py"),
        (warning_of_numpy, "raises RuntimeWarning"),
        (memory, "takes more than 64 MB"),
        (code, 'code of the input runs: ["os.system'),
        (code_unseen, "code of the input runs: code_ran"),
    ],
)
def test_a_planted_fault_is_seen_and_its_input_kept(fuzz, fault, problem):
    outcome = fuzz(fault)
    [(found, path)] = outcome.problems.items()
    assert found.startswith(problem)
    assert path.read_bytes() == bytes([PLANT])
    assert (path.parent / "problem.txt").read_text().startswith(problem)


def test_a_reader_without_fault(harness, fuzz, tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "INPUTS_PER_ROUND", 50)
    outcome = fuzz(lambda: None, seconds=3)
    assert outcome.problems == {}
    assert outcome.accepted > 0
    assert outcome.refused > 0
    assert outcome.inputs == outcome.accepted + outcome.refused
    assert not (tmp_path / "keep").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["json", "rle", "checkpoint"])
def test_readers(name, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(TOOLS))
    import fuzz_readers

    options = ["--minutes", "0.2", "--readers", name, "--keep", str(tmp_path / "keep")]
    assert fuzz_readers.main(options) == 0, capsys.readouterr().out
    row = capsys.readouterr().out.splitlines()[-1].split(" | ")
    refused, accepted = int(row[3]), int(row[4])
    assert refused > 100
    assert accepted > 20
