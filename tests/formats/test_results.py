import json
import zipfile

import pytest
from vis_json import ground_truth, perfect_results

from mmttsrn.errors import UserInputError
from mmttsrn.evaluation import evaluate_ytvis
from mmttsrn.formats.ground_truth import read_ground_truth
from mmttsrn.formats.results import read_results, write_results, zip_results


def test_sequences_are_read_by_video_in_the_order_of_the_file(tmp_path):
    content = ground_truth()
    entries = perfect_results(content)
    entries.append({**entries[0], "score": 1})
    (tmp_path / "results.json").write_text(json.dumps(entries))
    truth = read_ground_truth(content)
    results = read_results(tmp_path / "results.json", truth)
    assert results.keys() == {1, 2, 3}
    assert [sequence.score for sequence in results[1]] == [0.5, 1.0]
    sequence = results[2][0]
    assert (sequence.category_id, sequence.counts) == (7, truth.videos[2].sequences[0].counts)
    assert sequence.source == f"{tmp_path}/results.json: entry 1: "


def test_what_is_written_is_read_again(tmp_path):
    content = ground_truth()
    official = perfect_results(content)
    entries = [{**entry, "id": 7} for entry in official]
    write_results(entries, tmp_path / "new/v1.0")
    assert json.loads((tmp_path / "new/v1.0.json").read_text()) == entries
    with zipfile.ZipFile(tmp_path / "new/v1.0.zip") as archive:
        assert archive.namelist() == ["results.json"]
        assert archive.read("results.json").decode() == json.dumps(official)
        assert archive.infolist()[0].compress_type == zipfile.ZIP_DEFLATED
    assert len(list((tmp_path / "new").iterdir())) == 2


def test_whole_numbers_may_be_written_with_a_point():
    content = ground_truth()
    entries = perfect_results(content)
    floats = [
        entry | {key: float(entry[key]) for key in ("video_id", "category_id")} | {"id": 7.0}
        for entry in entries
    ]
    truth = read_ground_truth(content)
    expected, found = read_results(entries, truth), read_results(floats, truth)
    assert found.keys() == expected.keys()
    assert [repr(found[key][0].category_id) for key in found] == ["3", "7", "7"]
    assert [found[key][0].id for key in found] == [7, 7, 7]


def test_failure_leaves_the_old_zip(tmp_path):
    (tmp_path / "out.zip").write_text("old")
    with pytest.raises(KeyError):
        zip_results([{}], tmp_path / "out.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["out.zip"]
    assert (tmp_path / "out.zip").read_text() == "old"


def test_annotations_with_scores_are_results(tmp_path):
    """As tools/inference.py writes them: ground truth and results in one file."""
    content = ground_truth()
    for annotation in content["annotations"]:
        annotation["score"] = 0.5
    path = tmp_path / "clip.json"
    path.write_text(json.dumps(content))
    truth = read_ground_truth(path)
    found = read_results(path, truth)
    assert found[2][0].source == f"{path}: annotations[1]."
    assert evaluate_ytvis(path, path).stats["mAP"] == pytest.approx(1.0)
    assert evaluate_ytvis(content, content).stats["mAP"] == pytest.approx(1.0)
    content["categories"][1]["name"] = "wolf"
    with pytest.raises(UserInputError, match=r"categories\[1\]\.name: expected 'dog', .* got 'wo"):
        read_results(content, truth)
