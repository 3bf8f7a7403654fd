import copy
import json
import subprocess
import sys

import numpy as np
import pytest
from vis_json import HEIGHT, WIDTH, ground_truth, square

from mmttsrn.errors import UserInputError
from mmttsrn.formats import json_stream
from mmttsrn.formats.ground_truth import read_ground_truth


@pytest.fixture
def content():
    """Videos with frames, not in the order of their ids."""
    content = ground_truth()
    for video in content["videos"]:
        video["file_names"] = [f"{video['id']}/{frame}.jpg" for frame in range(video["length"])]
    content["videos"].reverse()
    return content


@pytest.fixture
def write(tmp_path):
    def run(content):
        path = tmp_path / "gt.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return run


def test_what_a_file_holds(content, write):
    content["videos"][0]["is_long"] = 1
    content["annotations"][0] |= {"bboxes": [[0, 4, 10, 10], [], None], "iscrowd": 1}
    content["annotations"][1]["occlusion"] = ["slight_occlusion", "severe_occlusion"] + [None] * 18
    truth = read_ground_truth(write(content))
    assert list(truth.videos) == [3, 2, 1]
    assert list(truth.in_order().videos) == [1, 2, 3]
    assert truth.categories == {3: "cat", 7: "dog", 9: "fish"}
    video = truth.videos[1]
    assert (video.height, video.width, video.length) == (HEIGHT, WIDTH, 3)
    assert video.file_names == ["1/0.jpg", "1/1.jpg", "1/2.jpg"]
    assert [truth.videos[key].is_long for key in (3, 2)] == [True, None]
    [sequence] = video.sequences
    assert (sequence.category_id, sequence.is_crowd, sequence.index) == (3, True, 0)
    assert sequence.counts == [square(0)["counts"], square(1)["counts"], None]
    assert sequence.boxes == [[0, 4, 10, 10], [], None]
    assert (sequence.mean_area, sequence.occlusion) == (100.0, None)
    [other] = truth.videos[2].sequences
    assert (other.index, other.boxes, other.occlusion) == (1, [None] * 20, 0.5)


def test_content_gives_the_same_and_is_not_changed(content, write):
    content["annotations"][0]["segmentations"][0] = {"size": [HEIGHT, WIDTH], "counts": [4, 1196]}
    content["annotations"][0]["segmentations"][1] = [[0, 4, 10, 4, 10, 14, 0, 14]]
    before = copy.deepcopy(content)
    truth = read_ground_truth(content)
    assert content == before
    from_file = read_ground_truth(write(content))
    assert [video.sequences[0].counts for video in truth.videos.values()] == [
        video.sequences[0].counts for video in from_file.videos.values()
    ]


def test_a_local_file_is_read_piece_by_piece(content, write, monkeypatch):
    """Never as a whole, and never by the backend that would read it as a whole."""
    path = write(content)
    monkeypatch.setattr(json_stream, "BLOCK_BYTES", 500)
    monkeypatch.setattr(json_stream.fileio, "get", None)
    monkeypatch.setattr(json_stream.json, "load", None)
    expected = read_ground_truth(content)
    expected.name = str(path)
    found = read_ground_truth(path, backend_args={"backend": "local"})
    assert found.categories == expected.categories
    assert [video.file_names for video in found.videos.values()] == [
        video.file_names for video in expected.videos.values()
    ]


@pytest.mark.parametrize("broken", [False, True])
def test_a_remote_file_is_fetched_by_its_backend(content, monkeypatch, broken):
    calls = []

    def get(path, backend_args=None):
        calls.append((path, backend_args))
        return json.dumps(content).encode()[: -20 if broken else None]

    monkeypatch.setattr(json_stream.fileio, "get", get)
    if broken:
        with pytest.raises(UserInputError, match=r"^s3://bucket/gt\.json: JSONDecodeError"):
            read_ground_truth("s3://bucket/gt.json", backend_args={"backend": "petrel"})
    else:
        truth = read_ground_truth("s3://bucket/gt.json", backend_args={"backend": "petrel"})
        assert truth.has_sequences
    assert calls == [("s3://bucket/gt.json", {"backend": "petrel"})]


def test_a_part_of_it(content):
    truth = read_ground_truth(content)
    part = truth.restricted({3, 1}, {7, 9})
    assert list(part.videos) == [3, 1]
    assert [len(video.sequences) for video in part.videos.values()] == [1, 0]
    assert part.categories == {7: "dog", 9: "fish"}
    assert len(truth.videos[1].sequences) == 1  # the whole is left alone


def test_frames_are_named_where_they_are_needed(content):
    del content["videos"][1]["file_names"]
    assert read_ground_truth(content).videos[2].file_names == []
    with pytest.raises(UserInputError, match=r"videos\[1\]\.file_names: expected the p"):
        read_ground_truth(content, need_frames=True)


def test_annotations_are_there_where_they_are_needed(content):
    content["annotations"] = []
    assert not read_ground_truth(content).has_sequences
    with pytest.raises(UserInputError, match="annotations: expected segmentations"):
        read_ground_truth(content, need_annotations=True)


def test_broken_compressed_masks_are_refused_at_once(content):
    content["annotations"][1]["segmentations"][4] = {"size": [HEIGHT, WIDTH], "counts": "9"}
    with pytest.raises(UserInputError) as caught:
        read_ground_truth(content)
    assert str(caught.value).startswith(
        "ground truth: annotations[1].segmentations[4]: RLE counts: expected 1200"
    )


def test_frames_have_a_largest_size(content):
    content["videos"].append({"id": 4, "width": 2**14, "height": 2**13, "length": 3})
    assert read_ground_truth(content).videos[4].size == (2**13, 2**14)


def test_numpy_numbers_are_numbers(content):
    content["videos"][0]["id"] = np.int64(3)
    content["annotations"][0]["areas"] = np.full(3, 50)
    assert read_ground_truth(content).videos[1].sequences[0].mean_area == 50


def test_whole_numbers_may_be_written_with_a_point(content, write):
    expected = read_ground_truth(content)
    for entry in (*content["videos"], *content["categories"], *content["annotations"]):
        entry |= {key: float(value) for key, value in entry.items() if isinstance(value, int)}
    found = read_ground_truth(write(content))
    assert found.categories == expected.categories
    assert [*map(repr, found.categories)] == [*map(repr, expected.categories)]
    for one, other in zip(found.videos.values(), expected.videos.values(), strict=True):
        for key in ("id", "width", "height", "length"):
            assert repr(getattr(one, key)) == repr(getattr(other, key))
        assert [(s.id, s.is_crowd) for s in one.sequences] == [
            (s.id, s.is_crowd) for s in other.sequences
        ]


def test_files_are_evaluated_without_the_hosts(tmp_path, content, write):
    (tmp_path / "results.json").write_text("[]")
    code = (
        "import sys; from mmttsrn.evaluation import Evaluation, evaluate_ytvis;"
        f"evaluate_ytvis({str(write(content))!r}, {str(tmp_path / 'results.json')!r});"
        "print([name for name in ('torch', 'mmcv', 'mmdet') if name in sys.modules])"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "[]\n"
