"""How commands report errors of their users."""

import argparse
import errno
import os
import signal
import sys
import time

import pytest
from torch.utils.data import DataLoader, Dataset

from mmttsrn.cli import user_errors
from mmttsrn.cli.user_errors import (
    ArgumentParser,
    number_type,
    report_user_errors,
    seed,
    threshold,
    warn_user,
)
from mmttsrn.errors import UserInputError, input_errors


class BrokenDataset(Dataset):
    """Fails while a worker of the data loader reads a sample."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> int:
        with input_errors("a.json: sample 0"):
            raise KeyError("bbox")


def report(error: Exception, capsys) -> str:
    """What is written to stderr for an error."""
    with pytest.raises(SystemExit) as exit_, report_user_errors():
        raise error
    assert exit_.value.code == 2
    return capsys.readouterr().err


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch):
    for name in user_errors.RANK_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(user_errors, "GRACE_SECONDS", 0.0)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserInputError("a.json: no videos"), "a.json: no videos"),
        (FileNotFoundError("a.jpg is missing"), "FileNotFoundError: a.jpg is missing"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "a"), "a: File name too long"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "a"), "a: Permission denied"),
    ],
)
def test_what_the_user_can_mend_is_one_line(capsys, error, line):
    assert report(error, capsys) == f"error: {line}\n"


@pytest.mark.parametrize(
    "error",
    [
        *(kind("x") for kind in (KeyError, TypeError, ValueError, RuntimeError, ImportError)),
        OSError("bug"),
        OSError(errno.EBADF, "Bad file descriptor"),
        ConnectionError(errno.ECONNRESET, "of the network"),
    ],
)
def test_other_errors_keep_their_traceback(error):
    with pytest.raises(type(error)), report_user_errors():
        raise error


def test_error_of_a_data_loader_worker(capsys):
    with pytest.raises(SystemExit), report_user_errors():
        list(DataLoader(BrokenDataset(), num_workers=1))
    assert capsys.readouterr().err == "error: a.json: sample 0: KeyError: bbox\n"


def test_a_flag_of_every_command_shows_the_traceback(capsys, monkeypatch):
    assert ArgumentParser().parse_args(["--traceback"]).traceback
    monkeypatch.setattr(sys, "argv", ["train.py", "--traceback"])
    with pytest.raises(SystemExit) as exit_, report_user_errors(), input_errors("model.head"):
        raise KeyError("x")
    assert exit_.value.code == 2
    first, *_, last = capsys.readouterr().err.splitlines()
    assert (first, last) == ("Traceback (most recent call last):", "error: model.head: KeyError: x")


@pytest.fixture
def ctrl_c_counts():
    """A job that a shell has put in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt_this_process(number):
    os.kill(os.getpid(), number)
    time.sleep(5)


@pytest.mark.usefixtures("ctrl_c_counts")
def test_sigterm_and_ctrl_c_end_a_command_without_a_traceback(capsys):
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(signal.SIGTERM)
        with pytest.raises(SystemExit) as exit_, report_user_errors():
            interrupt_this_process(number)
        assert exit_.value.code == 128 + number
        assert signal.getsignal(signal.SIGTERM) is before
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (number_type(int), "3", ["0", "-1", "x"]),
        (number_type(float), "0.5", ["0", "nan", "inf", "1e999"]),
        (threshold, "-0.5", ["nan", "x"]),
        (seed, "4294967295", ["-1", "4294967296", "1.5"]),
    ],
)
def test_numbers_of_command_lines(kind, good, bad):
    assert kind(good) == float(good)
    for text in bad:
        with pytest.raises((argparse.ArgumentTypeError, ValueError)):
            kind(text)


@pytest.mark.parametrize("rank", ["0", "1"])
def test_the_first_process_warns(capsys, monkeypatch, rank):
    monkeypatch.setenv("RANK", rank)
    warn_user("look out")
    assert capsys.readouterr().err == ("warning: look out\n" if rank == "0" else "")


def test_other_processes_name_their_rank(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "3")
    assert report(UserInputError("a.jpg: x"), capsys) == "error: [rank 3] a.jpg: x\n"
