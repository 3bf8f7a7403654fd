"""How commands report errors of their users."""

import argparse
import errno
import os
import signal
import time

import pytest
from mmengine.registry import Registry
from torch.utils.data import DataLoader, Dataset

from mmttsrn.cli import user_errors
from mmttsrn.cli.user_errors import (
    one_line,
    positive,
    report_user_errors,
    seed,
    threshold,
    warn_user,
)
from mmttsrn.errors import UserInputError


class BrokenDataset(Dataset):
    """Raises a user's error in the data loader's worker."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> int:
        raise self.error


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


def test_user_input_error(capsys):
    assert report(UserInputError("a.json: no videos"), capsys) == "error: a.json: no videos\n"


def test_a_full_disk_is_the_users(capsys):
    error = OSError(errno.ENOSPC, "No space left on device", "a.pth")
    assert report(error, capsys) == "error: a.pth: No space left on device\n"
    with pytest.raises(OSError, match="of the network"), report_user_errors():
        raise OSError(errno.ECONNRESET, "of the network")


def test_a_package_that_an_option_needs(capsys):
    error = ImportError('Please run "pip install future tensorboard" to install it.')
    assert report(error, capsys) == f"error: {error}\n"
    with pytest.raises(ImportError, match="no name"), report_user_errors():
        raise ImportError("no name x in y")


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


def test_prefix_of_registries_is_left_out(capsys):
    message = "class `A` in x/a.py: class `B` in x/b.py: a.json: no videos"
    assert report(UserInputError(message), capsys) == "error: a.json: no videos\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserInputError("a.jpg: not an image"), "a.jpg: not an image"),
        (FileNotFoundError("a.jpg is missing"), "a.jpg is missing"),
    ],
)
def test_error_of_a_data_loader_worker(capsys, error, line):
    with pytest.raises(SystemExit), report_user_errors():
        list(DataLoader(BrokenDataset(error), num_workers=1))
    assert capsys.readouterr().err == f"error: {line}\n"


def test_missing_file(capsys, tmp_path):
    with pytest.raises(SystemExit), report_user_errors():
        (tmp_path / "a.json").open()
    assert capsys.readouterr().err == f"error: {tmp_path / 'a.json'}: No such file or directory\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            OSError(errno.ENAMETOOLONG, "File name too long", "a" * 9),
            "aaaaaaaaa: File name too long",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError(errno.ELOOP, "Too many levels of symbolic links", "a"), "a: Too many levels of"),
        (PermissionError("a.pth is locked"), "a.pth is locked"),
    ],
)
def test_errors_of_a_file_system(capsys, error, line):
    assert report(error, capsys).startswith(f"error: {line}")


@pytest.mark.parametrize(
    "error", [OSError("bug"), OSError(errno.EBADF, "Bad file descriptor"), ConnectionError("bug")]
)
def test_other_errors_of_the_system_keep_their_traceback(error):
    with pytest.raises(OSError), report_user_errors():
        raise error


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (positive(int), "3", ["0", "-1", "x"]),
        (positive(float), "0.5", ["0", "nan", "inf", "1e999"]),
        (threshold, "-0.5", ["nan", "x"]),
        (seed, "4294967295", ["-1", "4294967296", "1.5"]),
    ],
)
def test_numbers_of_command_lines(kind, good, bad):
    assert kind(good) == float(good)
    for text in bad:
        with pytest.raises((argparse.ArgumentTypeError, ValueError)):
            kind(text)


def test_unknown_type_in_a_config(capsys):
    with pytest.raises(SystemExit), report_user_errors():
        Registry("part", scope="here").build(dict(type="Foo"))
    assert "type 'Foo' is not in the here::part registry" in capsys.readouterr().err


class Base:
    def __init__(self, width: int = 1) -> None:
        pass


class Forwarding(Base):
    def __init__(self, depth: int = 1, **kwargs: int) -> None:
        super().__init__(**kwargs)


class Faulty(Base):
    def __init__(self, **kwargs: int) -> None:
        super().__init__()
        Part(hieght=1)


class Part:
    """Is built by a constructor, not by a registry."""

    def __init__(self, height: int = 1) -> None:
        pass


def plain(width: int = 1) -> None:
    """Is a factory, not a class."""


@pytest.fixture
def parts():
    registry = Registry("part", scope="here")
    for part in (Base, Forwarding, Faulty, plain):
        registry.register_module(module=part)
    return registry


@pytest.mark.parametrize("type_", ["Base", "Forwarding", "plain"])
def test_key_that_a_type_does_not_take(capsys, parts, type_):
    with pytest.raises(SystemExit) as exit_, report_user_errors():
        parts.build(dict(type=type_, widht=3))
    assert exit_.value.code == 2
    assert capsys.readouterr().err == (
        f"error: type '{type_}' takes no argument 'widht'; check the config and --cfg-options\n"
    )


def test_arguments_that_a_type_lacks(capsys, parts):
    def needy(height: int, width: int) -> None:
        """Need two arguments."""

    parts.register_module(module=needy)
    with pytest.raises(SystemExit), report_user_errors():
        parts.build(dict(type="needy"))
    assert "needs the argument 'height' and 'width'; check the config" in capsys.readouterr().err


def test_faults_of_a_constructor_keep_their_traceback(parts):
    with pytest.raises(TypeError), report_user_errors():
        parts.build(dict(type="Faulty"))
    with pytest.raises(TypeError), report_user_errors():
        Base(widht=3)


@pytest.mark.parametrize("rank", ["0", "1"])
def test_the_first_process_warns(capsys, monkeypatch, rank):
    monkeypatch.setenv("RANK", rank)
    warn_user("look out")
    assert capsys.readouterr().err == ("warning: look out\n" if rank == "0" else "")


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("x"), RuntimeError("x")])
def test_other_errors_keep_their_traceback(error):
    with pytest.raises(type(error)), report_user_errors():
        raise error


def test_other_processes_name_their_rank(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "3")
    assert report(UserInputError("a.jpg: x"), capsys) == "error: [rank 3] a.jpg: x\n"


def test_line_breaks_are_removed():
    assert one_line(UserInputError("one\n  two")) == "one two"
