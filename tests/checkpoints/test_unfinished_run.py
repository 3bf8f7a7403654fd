"""Runs that the same program goes on with."""

from pathlib import Path

import pytest
import torch

from mmttsrn.checkpoints import unfinished_run
from mmttsrn.checkpoints.run_checkpoints import POINTER

SETTINGS = {"config": "1", "annotations": "2"}


def save(folder: Path, name: str = "iter_5.pth") -> Path:
    torch.save({"state_dict": {}}, folder / name)
    (folder / POINTER).write_text(name)
    return folder / name


def test_it_goes_on_until_it_is_finished(tmp_path: Path) -> None:
    work_dir = tmp_path / "new" / "folder"
    assert unfinished_run.begin(work_dir, SETTINGS) is None
    assert not unfinished_run.goes_on(work_dir)
    assert unfinished_run.begin(work_dir, SETTINGS) is None
    path = save(work_dir)
    assert unfinished_run.goes_on(work_dir)
    assert unfinished_run.begin(work_dir, SETTINGS) == path
    assert unfinished_run.begin(work_dir, SETTINGS) == path
    unfinished_run.finish(work_dir)
    assert not unfinished_run.goes_on(work_dir)
    assert unfinished_run.begin(work_dir, SETTINGS) is None
    assert path.exists()


def test_a_checkpoint_of_an_earlier_run_does_not_count(tmp_path: Path) -> None:
    save(tmp_path)
    for _ in range(2):  # the second time as after an end before the first checkpoint
        assert unfinished_run.begin(tmp_path, SETTINGS) is None


@pytest.mark.parametrize("change", [{"config": "x"}, {"annotations": "x"}, {"more": "x"}])
def test_other_settings_begin_anew(tmp_path: Path, change: dict[str, str]) -> None:
    unfinished_run.begin(tmp_path, SETTINGS)
    save(tmp_path)
    assert unfinished_run.begin(tmp_path, SETTINGS | change) is None
    assert unfinished_run.begin(tmp_path, SETTINGS) is None


@pytest.mark.parametrize("name", [unfinished_run.NOTE, POINTER, "iter_5.pth"])
@pytest.mark.parametrize("content", [b"", b"junk", b"\xff\xfe", b"\x00", None])
def test_what_is_broken_begins_anew(tmp_path: Path, name: str, content: bytes | None) -> None:
    unfinished_run.begin(tmp_path, SETTINGS)
    save(tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    assert unfinished_run.begin(tmp_path, SETTINGS) is None
