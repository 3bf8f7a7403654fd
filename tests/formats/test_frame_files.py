import os

from mmttsrn.formats.frame_files import missing_files


def test_missing_files_are_listed_in_order(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    for name in ("a/0.jpg", "1.jpg"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    names = ["b/0.jpg", "a/0.jpg", "a/1.jpg", "1.jpg", "2.jpg"]
    assert missing_files(names) == ["b/0.jpg", "a/1.jpg", "2.jpg"]
    paths = [tmp_path / name for name in names]
    assert missing_files(paths) == [str(paths[0]), str(paths[2]), str(paths[4])]


def test_each_folder_is_looked_up_once(tmp_path, monkeypatch):
    folders = []
    original = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: folders.append(path) or original(path))
    missing_files([tmp_path / f"{frame}.jpg" for frame in range(100)])
    assert folders == [str(tmp_path)]


def test_frames_of_a_video_file_are_there_if_it_is(tmp_path):
    (tmp_path / "clip.mp4").touch()
    names = ["clip.mp4/00012", "clip.mp4/0.jpg", "other.mp4/00012"]
    missing = missing_files([tmp_path / name for name in names])
    assert missing == [str(tmp_path / name) for name in names[1:]]
