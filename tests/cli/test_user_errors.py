"""How commands report errors of their users."""

import pytest
from mmengine.registry import Registry
from torch.utils.data import DataLoader, Dataset

from mmttsrn.cli import user_errors
from mmttsrn.cli.user_errors import one_line, report_user_errors
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


def test_unknown_type_in_a_config(capsys):
    with pytest.raises(SystemExit), report_user_errors():
        Registry("part", scope="here").build(dict(type="Foo"))
    assert "type 'Foo' is not in the here::part registry" in capsys.readouterr().err


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("x"), RuntimeError("x")])
def test_other_errors_keep_their_traceback(error):
    with pytest.raises(type(error)), report_user_errors():
        raise error


def test_other_processes_name_their_rank(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "3")
    assert report(UserInputError("a.jpg: x"), capsys) == "error: [rank 3] a.jpg: x\n"


def test_line_breaks_are_removed():
    assert one_line(UserInputError("one\n  two")) == "one two"
