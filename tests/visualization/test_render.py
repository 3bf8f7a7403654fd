import numpy as np
import pytest

from mmttsrn.errors import UserInputError
from mmttsrn.formats.ground_truth import Video, read_ground_truth
from mmttsrn.formats.results import read_results
from mmttsrn.visualization.render import output_stems, videos_to_draw


def _load(folder, score_thr=0.3):
    truth = read_ground_truth(folder / "instances.json")
    return videos_to_draw(truth, read_results(folder / "results.json", truth), score_thr)


def _video(video_id, file_names):
    return Video(video_id, 4, 4, len(file_names), file_names)


def test_videos_hold_ground_truth_and_predictions(vis_files):
    videos = _load(vis_files)
    assert [len(videos[key].video.sequences) for key in (1, 2)] == [1, 1]
    assert [sequence.score for sequence in videos[1].predicted] == [0.9]
    for video, name in zip(videos.values(), ("cat", "dog"), strict=True):
        frame = video.frame(0, video.predicted)
        assert (frame.instance_ids.tolist(), frame.names) == ([1], [name])


@pytest.mark.parametrize(("ids", "expected"), [((7, 3), (3, 7)), ((None, None), (2, 1))])
def test_sequences_have_the_id_of_the_file_or_their_place(vis_files, edit_json, ids, expected):
    """Drawn is the better one first, which is the second one of the file here."""

    def change(results):
        for entry, identity in zip(results[:2], ids, strict=True):
            entry |= {} if identity is None else {"id": identity}
        results[0]["score"], results[1]["score"] = 0.2, 0.9

    edit_json("results.json", change)
    video = _load(vis_files, score_thr=0.0)[1]
    frame = video.frame(0, video.predicted)
    assert tuple(frame.instance_ids.tolist()) == expected
    assert frame.scores.tolist() == pytest.approx([0.9, 0.2])


def test_frames(vis_files):
    video = _load(vis_files)[1]
    frame = video.frame(1, video.predicted)
    assert frame.masks.shape == (1, 48, 64)
    assert np.flatnonzero(frame.masks[0].any(0))[0] == 13
    assert frame.boxes.tolist() == [[13, 10, 33, 30]]
    assert len(video.frame(3, video.predicted)) == 0  # null
    assert video.frame(0, video.video.sequences).scores is None
    assert video.frame(0, []).masks.shape == (0, 48, 64)


def test_file_without_ground_truth(vis_files, edit_json):
    edit_json("instances.json", lambda content: content.pop("annotations") and None)
    assert not any(video.video.sequences for video in _load(vis_files).values())


@pytest.mark.parametrize(
    ("file_names", "stems"),
    [
        ([["a/0.jpg"], ["b/0.jpg"]], ["a", "b"]),
        ([["a/img/0.jpg"], ["b/img/0.jpg"]], ["a/img", "b/img"]),
        ([["a/0.jpg"], ["a/1.jpg"]], ["a_1", "a_2"]),
        ([["0.jpg"], ["1.jpg"]], ["video_1", "video_2"]),
        ([["a.mp4/00000"], ["b/c.mp4/00000"]], ["a", "b/c"]),
        ([["a\\0.jpg"], ["b\\c\\0.jpg"]], ["a", "b/c"]),
    ],
)
def test_no_two_videos_share_an_output(file_names, stems):
    videos = [_video(index, names) for index, names in enumerate(file_names, start=1)]
    assert list(output_stems(videos).values()) == stems


@pytest.mark.parametrize("name", ["../a/0.jpg", "/a/0.jpg", "..\\a\\0.jpg"])
def test_output_never_leaves_its_folder(name):
    with pytest.raises(UserInputError, match="leaves the image folder"):
        output_stems([_video(1, [name])])
