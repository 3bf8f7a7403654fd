import copy
import json

import pytest
from vis_json import ground_truth, perfect_results, square

from mmttsrn.errors import UserInputError
from mmttsrn.evaluation.analysis.submission import check_submission
from mmttsrn.formats.ground_truth import read_ground_truth

UNCOMPRESSED = {"size": [20, 60], "counts": [0, 1200]}


@pytest.fixture
def results():
    return perfect_results(ground_truth())


@pytest.fixture
def check(tmp_path):
    """Check content of a results file against videos without ground truth."""
    videos = {key: ground_truth()[key] for key in ("videos", "categories")}
    truth = read_ground_truth(videos)

    def run(content):
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "results.json").write_text(text)
        return check_submission(tmp_path / "results.json", truth)

    return run


def test_good_results(check, results):
    found = check([*results, {**results[0], "score": 1}, {**results[0], "score": 0.0}])
    assert found.problems == ()
    assert (found.num_entries, found.video_ids) == (5, {1, 2, 3})
    assert check([]).problems == ()


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("video_id", 4, "video_id: expected an id of ground truth, such as 1, got 4"),
        ("category_id", 0, "category_id: expected an id of ground truth, such as 3, got 0"),
        ("category_id", True, "category_id: expected int | str, got bool"),
        ("score", 1.5, "score: expected 0 to 1, got 1.5"),
        ("score", float("nan"), "score: expected a finite number, got nan"),
        ("score", "0.5", "score: expected float, got str"),
        ("segmentations", None, "segmentations: expected a list, got a NoneType"),
        ("segmentations", [None], "segmentations: expected one mask or null per frame, 3, got 1"),
        ("segmentations", [[1, 2, 3, 4, 5, 6], None, None], "segmentations[0]: is not an RLE"),
        ("segmentations", [None, {}, None], "segmentations[1]: is not an RLE"),
        ("segmentations", [None, UNCOMPRESSED, None],
         "segmentations[1]: counts is a list, which servers refuse"),
        ("segmentations", [{**square(0), "size": [60, 20]}, None, square(0)],
         "segmentations[0]: RLE size is [60, 20], expected [height, width] of its video"),
        ("segmentations", [square(0), {**square(0), "counts": square(0)["counts"][:-1]}, None],
         "segmentations[1]: RLE counts"),
        ("segmentations", [None, None, {**square(0), "counts": str(b"T3b0")}],
         "segmentations[2]: RLE counts string is not a compressed COCO RLE"),
        ("segmentations", [None, None, {**square(0), "counts": ""}], "segmentations[2]: RLE"),
    ],
)  # fmt: skip
def test_a_problem_names_entry_and_field(check, results, field, value, expected):
    results.insert(1, {**results[0], field: value})
    (problem,) = check(results).problems
    assert problem.startswith(f"entry 1: {expected}")


def test_every_problem_is_listed(check, results):
    results[0] |= {"category_id": 0, "score": 7}
    results[0]["segmentations"] = [UNCOMPRESSED, {"size": [1, 1], "counts": "1"}, 5]
    del results[1]["score"]
    results.insert(1, 3)
    fields = [problem.split(": ")[:2] for problem in check(results).problems]
    assert fields == [
        ["entry 0", "category_id"],
        ["entry 0", "score"],
        ["entry 0", "segmentations[0]"],
        ["entry 0", "segmentations[1]"],
        ["entry 0", "segmentations[2]"],
        ["entry 1", "expected object, got int"],
        ["entry 2", "score"],
    ]


def test_frames_with_the_same_problem_share_a_line(check, results):
    masks = [UNCOMPRESSED] * 5 + [None] * 2 + [UNCOMPRESSED] + [square(0)] * 12
    (problem,) = check([{**results[1], "segmentations": masks}]).problems
    assert problem.startswith("entry 0: segmentations[0-4, 7]: counts is a list")


def test_identical_entries(check, results):
    twin = dict(reversed(copy.deepcopy(results[1]).items()))
    moved = {**results[1], "segmentations": [square(1), *results[1]["segmentations"][1:]]}
    found = check([*results, moved, twin, {**results[1], "score": 0.4}])
    assert found.problems == ("entry 4: all fields: identical to entry 1; remove it",)


def test_keys_of_the_user_do_no_harm(check, results):
    results[0]["segmentations"][0]["name"] = results[0]["name"] = "x"
    assert check(results).problems == ()


@pytest.mark.parametrize("content", ['[{"video_id": 1', "", "[1, 2", '{"a": 1}', "[{}}", "5"])
def test_no_list(check, content):
    with pytest.raises(UserInputError, match=r"results\.json: (not valid json|expected a list)"):
        check(content)
