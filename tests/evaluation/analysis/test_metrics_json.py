import json

import pytest
from vis_json import ground_truth, perfect_results

from mmttsrn.evaluation import evaluate_ytvis
from mmttsrn.evaluation.analysis.comparison import compare_videos
from mmttsrn.evaluation.analysis.metrics_json import metrics_content


@pytest.fixture
def truth():
    truth = ground_truth()
    truth["videos"][2]["is_long"] = True
    return truth


@pytest.fixture
def evaluation(truth):
    return evaluate_ytvis(truth, perfect_results(truth)[:1])


def test_everything_survives_json_in_full_precision(evaluation):
    content = metrics_content(evaluation)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["stats"] == evaluation.stats
    assert [entry["name"] for entry in content["per_class"]] == ["cat", "dog", "fish"]
    assert content["per_class"][1]["num_truths"] == 2
    assert content["per_group"] == evaluation.group_stats()
    assert list(content["per_length"]) == ["1-16", "17-32", "65+"]
    assert list(content["long_videos"]) == ["long", "not marked"]
    assert [(video["id"], video["num_frames"]) for video in content["per_video"]] == [
        (1, 3), (2, 20), (3, 70),
    ]  # fmt: skip
    assert "errors" not in content
    assert "comparison" not in content


def test_errors_and_comparison(truth, evaluation, errors):
    del truth["annotations"][2]
    evaluation = evaluate_ytvis(truth, perfect_results(truth)[:1])
    other = evaluate_ytvis(truth, perfect_results(truth))
    content = metrics_content(evaluation, errors, None, other, compare_videos(evaluation, other))
    assert content["errors"]["lost"] == errors.lost
    assert content["errors"]["track_counts"] == {"identity switch": 3, "fragment": 2}
    assert content["comparison"]["stats"] == other.stats
    videos = content["comparison"]["per_video"]
    assert [video["difference"] for video in videos] == [pytest.approx(-1.0), 0.0, None]
    json.dumps(content, allow_nan=False)
