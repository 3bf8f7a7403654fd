import os
import unicodedata
from pathlib import Path

import pytest

from mmttsrn.errors import UserInputError
from mmttsrn.formats.frame_folder import FrameFolder

NFC, NFD = (unicodedata.normalize(form, "é_clip") for form in ("NFC", "NFD"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("clip/0.jpg", f"{NFD}/é.jpg", "ﬁ.jpg", "Clip 2/IMG_1.JPG", "back\\slash.jpg"):
        path = tmp_path / "frames" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "frames"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("clip/0.jpg", "clip/0.jpg"),
        ("./clip/0.jpg", "clip/0.jpg"),
        ("clip\\0.jpg", "clip/0.jpg"),
        (".\\clip\\0.jpg", "clip/0.jpg"),
        ("..\\frames/clip\\0.jpg", "clip/0.jpg"),
        (f"{NFC}/é.jpg", f"{NFD}/é.jpg"),
        (f"{NFC}\\{unicodedata.normalize('NFD', 'é')}.jpg", f"{NFD}/é.jpg"),
        ("back\\slash.jpg", "back\\slash.jpg"),
    ],
)
def test_frames_are_found_however_their_names_are_spelt(root: Path, name: str, place: str) -> None:
    found = FrameFolder(root).find(name)
    assert found is not None
    assert os.path.samefile(found, root / place)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("clip/1.jpg", "clip has no '1.jpg';"),
        ("clip/0.jpg ", "clip has no '0.jpg ', but '0.jpg'"),
        ("clip/0.png", "clip has no '0.png', but '0.jpg'"),
        ("clip\\0.png", "clip has no '0.png', but '0.jpg'"),
        ("Clip/0.jpg", "frames has no 'Clip', but 'clip'"),
        ("fi.jpg", "frames has no 'fi.jpg', but 'ﬁ.jpg'"),
        ("Clip 2/img_1.jpg", "Clip 2 has no 'img_1.jpg', but 'IMG_1.JPG'"),
        ("C:\\data\\clip\\0.jpg", "frames has no 'C:';"),
        (f"{NFC}/2.jpg", f"{NFD} has no '2.jpg';"),
        ("/nowhere/0.jpg", "/nowhere has no '0.jpg';"),
        ("clip/0.jpg/x/y.jpg", "0.jpg has no 'x';"),
        ("", "frames has no '';"),
        ("clip/0\0.jpg", "clip has no '0\\x00.jpg';"),
    ],
)
def test_the_reason_why_a_frame_is_missing(root: Path, name: str, reason: str) -> None:
    with pytest.raises(UserInputError) as caught:
        FrameFolder(root).find_all(["clip/0.jpg", name], "a.json", "--img-root")
    line = str(caught.value)
    assert "image not found (1 of 2 frames of a.json are missing): " in line
    assert reason in line
    assert line.endswith("file_names are relative to --img-root")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=r"there is no folder '.*frames'"):
        FrameFolder(tmp_path / "frames").find_all(["0.jpg"], "a.json", "--img-root")


def test_the_exact_name_comes_first(tmp_path: Path) -> None:
    both = [tmp_path / f"{name}.jpg" for name in (NFC, NFD)]
    for path in both:
        path.touch()
    names = [path.name for path in both]
    assert FrameFolder(tmp_path).find_all(names, "", "") == [str(path) for path in both]


def test_names_are_relative_to_where_the_program_runs(root: Path, monkeypatch) -> None:
    monkeypatch.chdir(root)
    assert FrameFolder("").find("clip\\0.jpg") == "clip/0.jpg"
    assert FrameFolder("clip").find("0.jpg") == "clip/0.jpg"
    assert FrameFolder("").find(str(root / "clip/0.jpg")) == str(root / "clip/0.jpg")
    assert FrameFolder("").find("clip/1.jpg") is None


def test_each_folder_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = []
    original = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: folders.append(path) or original(path))
    folder = FrameFolder(tmp_path)
    for frame in range(100):
        folder.find(f"{frame}.jpg")
    assert folders == [str(tmp_path)]


def test_frames_of_a_video_file_are_there_if_it_is(tmp_path: Path) -> None:
    (tmp_path / f"{NFD}.mp4").touch()
    folder = FrameFolder(tmp_path)
    assert folder.find(f"{NFC}.mp4/00012") == str(tmp_path / f"{NFD}.mp4/00012")
    assert folder.find(f"{NFC}.mp4/0.jpg") is None
    assert folder.find("other.mp4/00012") is None


def test_a_broken_link_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "clip").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserInputError, match=r"has no 'clip';"):
        FrameFolder(tmp_path).find_all(["clip/0.jpg"], "a.json", "--img-root")
