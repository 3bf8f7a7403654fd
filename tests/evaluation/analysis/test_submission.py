import copy

import pytest
from vis_json import ground_truth, perfect_results, square

from mmttsrn.errors import UserInputError
from mmttsrn.evaluation.analysis.submission import submission_entries
from mmttsrn.formats.ground_truth import read_ground_truth


@pytest.fixture
def results():
    return perfect_results(ground_truth())


@pytest.fixture
def entries_of():
    """Entries to submit of results, for videos without ground truth."""
    truth = read_ground_truth({key: ground_truth()[key] for key in ("videos", "categories")})
    return lambda results: submission_entries(results, truth)


def test_good_results_stay_as_they_are(entries_of, results):
    more = [*results, {**results[0], "score": 1.0}, {**results[0], "score": 0.0}]
    assert sorted(entries_of(more), key=str) == sorted(more, key=str)
    assert entries_of([]) == []


def test_masks_are_written_as_servers_take_them(entries_of, results):
    results[0]["segmentations"][0] = {"size": [20, 60], "counts": [0, 1200]}
    results[0] |= {"id": 7, "name": "of the user"}
    entry = entries_of(results)[0]
    assert set(entry) == {"video_id", "category_id", "score", "segmentations"}
    assert isinstance(entry["segmentations"][0]["counts"], str)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("score", 1.5, "score: expected 0 to 1, got 1.5"),
        ("segmentations", [square(0), {**square(0), "counts": square(0)["counts"][:-1]}, None],
         r"segmentations\[1\]: RLE counts"),
        ("category_id", 0, "category_id: expected an id"),
    ],
)  # fmt: skip
def test_a_problem_names_entry_and_field(entries_of, results, field, value, message):
    results.insert(1, {**results[0], field: value})
    with pytest.raises(UserInputError, match=f"results: entry 1: {message}"):
        entries_of(results)


def test_an_entry_that_comes_twice_is_refused(entries_of, results):
    twin = dict(reversed(copy.deepcopy(results[1]).items()))
    moved = {**results[1], "segmentations": [square(1), *results[1]["segmentations"][1:]]}
    with pytest.raises(UserInputError, match=r"entry 4: all fields are those of .*entry 1"):
        entries_of([*results, moved, twin])
