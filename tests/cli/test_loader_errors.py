"""What is said where a data loader fails."""

import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from torch.utils.data import DataLoader

from mmttsrn.cli.loader_errors import is_from_loader, loader_problem
from mmttsrn.errors import UserInputError


class Samples:
    """Two samples; the second one does something first."""

    def __init__(self, fault: Callable[[], object]) -> None:
        self.fault = fault

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> int:
        if index == 1:
            self.fault()
        return index


@pytest.fixture(autouse=True)
def handler_as_it_was() -> Iterator[None]:
    before = signal.getsignal(signal.SIGCHLD)
    yield
    signal.signal(signal.SIGCHLD, before)


def broken() -> None:
    raise UserInputError("00007.jpg: is cut off")


def bug() -> None:
    raise IndexError("beyond the end")


def error_of(fault: Callable[[], object], **settings: int) -> Exception:
    try:
        list(DataLoader(Samples(fault), batch_size=1, **settings))
    except Exception as error:
        return error
    pytest.fail("the loader has no error")


@pytest.mark.parametrize(
    ("fault", "settings", "says"),
    [
        (broken, {}, "^00007.jpg: is cut off$"),
        (broken, dict(num_workers=1), "00007.jpg: is cut off$"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), dict(num_workers=1),
         "^DataLoader worker .*(Killed|exited).* lower num_workers or batch_size"),
        (lambda: time.sleep(2), dict(num_workers=1, timeout=1),
         "^DataLoader timed out after 1 seconds. .*raise timeout of the data loader"),
    ],
    ids=["sample", "sample of a worker", "killed", "silent"],
)  # fmt: skip
def test_the_problem_and_what_to_do(
    fault: Callable[[], object], settings: dict[str, int], says: str
) -> None:
    error = error_of(fault, **settings)
    assert is_from_loader(error)
    with pytest.raises(UserInputError, match=says):
        raise UserInputError(str(loader_problem(error)))


def test_workers_that_cannot_start() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + 2, hard))
    try:
        error = error_of(broken, num_workers=2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    problem = loader_problem(error)
    assert is_from_loader(error)
    assert problem is not None
    assert problem.startswith("the data loader: Too many open files. Lower num_workers")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bug_keeps_its_traceback(workers: int) -> None:
    assert loader_problem(error_of(bug, num_workers=workers)) is None


def test_an_error_of_something_else_is_told_apart() -> None:
    with pytest.raises(FileNotFoundError) as caught:
        Path("no_such_file").read_text()
    assert not is_from_loader(caught.value)
