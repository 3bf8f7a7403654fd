import errno
import os

import av
import pytest

from mmttsrn.errors import UserInputError
from mmttsrn.formats.output_files import (
    check_output_file,
    check_output_folder,
    partial_file,
    replace_file,
)


def test_new_and_old_files_can_be_written(tmp_path):
    (tmp_path / "old.json").touch()
    check_output_file(tmp_path / "old.json", "--out", [tmp_path / "other.json"])
    check_output_file(tmp_path / "a/b/new.json", "--out")
    check_output_folder(tmp_path / "a/b", "--plots")
    assert [path.name for path in tmp_path.iterdir()] == ["old.json"]


def test_folder_is_no_file(tmp_path):
    with pytest.raises(UserInputError, match=r"^--out .*: is a folder"):
        check_output_file(tmp_path, "--out")


def test_input_is_not_replaced(tmp_path):
    (tmp_path / "in.json").touch()
    (tmp_path / "link.json").symlink_to(tmp_path / "in.json")
    with pytest.raises(UserInputError, match=r"^--out .*link.json: is an input"):
        check_output_file(tmp_path / "link.json", "--out", [tmp_path / "in.json"])


def test_folder_that_cannot_be_written_to(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(UserInputError, match=r"^--plots .*file is not a folder to write to"):
        check_output_folder(tmp_path / "file/plots", "--plots")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UserInputError, match=f"{tmp_path} is not a folder to write to"):
        check_output_folder(tmp_path / "new", "--plots")


def test_interrupted_writing_leaves_the_old_file(tmp_path):
    def fail(path):
        path.write_text("half")
        raise KeyboardInterrupt

    replace_file(tmp_path / "x/file", lambda path: path.write_text("whole"))
    with pytest.raises(KeyboardInterrupt):
        replace_file(tmp_path / "x/file", fail)
    assert [path.read_text() for path in (tmp_path / "x").iterdir()] == ["whole"]


def test_partial_file_keeps_the_suffix_and_is_not_the_file(tmp_path):
    path = tmp_path / "clip.v1.mp4"
    with partial_file(path) as partial:
        partial.write_text("whole")
        assert (partial.parent, partial.suffix) == (tmp_path, ".mp4")
        assert not path.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["clip.v1.mp4"]


def test_an_error_of_writing_names_the_file(tmp_path):
    with pytest.raises(OSError, match="No space left") as caught, partial_file(tmp_path / "file"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(tmp_path / "file")


def test_partial_file_that_was_not_written_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), partial_file(tmp_path / "file"):
        pass


def test_errors_of_libraries_name_the_file(tmp_path):
    """Those of FFmpeg name the file that is being written, and take no other name."""
    path = tmp_path / "a.mp4"
    with pytest.raises(OSError, match="No space left") as caught, partial_file(path) as partial:
        raise av.error.OSError(errno.ENOSPC, "No space left on device", f"file:{partial}")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
