import pytest
from vis_json import ground_truth, perfect_results

from mmttsrn.evaluation import evaluate_ytvis
from mmttsrn.evaluation.analysis import report
from mmttsrn.evaluation.analysis.comparison import VideoDifference, compare_videos
from mmttsrn.evaluation.result import STAT_NAMES


@pytest.fixture
def truth():
    return ground_truth()


@pytest.fixture
def evaluation(truth):
    return evaluate_ytvis(truth, perfect_results(truth))


def cells(table: str) -> list[list[str]]:
    return [line.split() for line in table.splitlines()[1:]]


def test_summary_has_the_twelve_numbers(evaluation):
    table = report.summary_table(evaluation, "on something")
    assert table.splitlines()[0] == "on something"
    values = {row[0]: row[1] for row in cells(table)}
    assert tuple(values) == STAT_NAMES
    assert values["mAP"] == "1.0000"
    assert values["mAP_l"] == "n/a"  # no such object


def test_columns_are_aligned(evaluation):
    lines = report.category_table(evaluation).splitlines()
    assert lines[1:] == [
        "  id  class  instances     mAP  mAP_50  mAP_75  AR@100",
        "   3  cat            1  1.0000  1.0000  1.0000  1.0000",
        "   7  dog            2  1.0000  1.0000  1.0000  1.0000",
        "   9  fish           0     n/a     n/a     n/a     n/a",
    ]


def test_names_do_not_change_the_terminal():
    table = report.text_table("a\x1b[2J", ("class", "n"), [("b\nc\x1b]0;", "1")], align="<>")
    assert table.splitlines() == ["a\\x1b[2J", "  class        n", "  b\\nc\\x1b]0;  1"]


def test_crowd_is_not_counted_as_instance(truth):
    truth["annotations"][0]["areas"] = [300**2, 300**2, None]
    truth["annotations"][1]["iscrowd"] = 1
    counts = report.truths_per_category(evaluate_ytvis(truth, []))
    assert counts == {3: 1, 7: 1, 9: 0}


def test_sizes_have_their_numbers_of_instances(truth):
    truth["annotations"][0]["areas"] = [300**2, 300**2, None]
    rows = cells(report.size_table(evaluate_ytvis(truth, [])))
    assert [row[:2] for row in rows[1:]] == [
        ["all", "3"], ["small", "2"], ["medium", "0"], ["large", "1"],
    ]  # fmt: skip


def test_occlusion_only_where_the_file_tells_it(truth, evaluation):
    assert report.occlusion_table(evaluation) is None
    truth["annotations"][0]["occlusion"] = ["severe_occlusion", "severe_occlusion", None]
    table = report.occlusion_table(evaluate_ytvis(truth, perfect_results(truth)))
    rows = cells(table)
    assert [row[0] for row in rows[1:]] == ["slight", "moderate", "heavy"]
    assert rows[3] == ["heavy", "occlusion", "1", "1.0000", "1.0000", "1.0000"]


def test_lengths(truth, evaluation):
    rows = cells(report.length_table(evaluation))
    assert [row[:3] for row in rows[1:]] == [
        ["1-16", "1", "1"], ["17-32", "1", "1"], ["65+", "1", "1"],
    ]  # fmt: skip
    assert report.long_video_table(evaluation) is None
    truth["videos"][2]["is_long"] = True
    assert "  long " in report.long_video_table(evaluate_ytvis(truth, []))


def test_errors(errors):
    table = report.error_table(errors)
    assert "mask AP at IoU 0.50, 0.2500" in table.splitlines()[0]
    assert ["class", "0.1250", "12"] in cells(table)
    assert ["duplicate", "-0.0010", "2"] in cells(table)
    assert table.splitlines()[-2:] == [
        "  AP with all kinds fixed: 1.0000",
        "  track errors: identity switch 3, fragment 2",
    ]


def test_comparison_is_results_less_other(truth, evaluation):
    other = evaluate_ytvis(truth, perfect_results(truth)[:1])  # the cat only
    rows = cells(report.comparison_table(evaluation, other, "title"))
    assert rows[1] == ["mAP", "1.0000", "0.5000", "+0.5000"]
    assert ["mAP_l", "n/a", "n/a", "n/a"] in rows


def test_worst_videos_are_shown_and_the_others_counted(truth, evaluation):
    other = evaluate_ytvis(truth, perfect_results(truth)[:1])
    table = report.video_table(compare_videos(other, evaluation), limit=2)
    assert [row[0] for row in cells(table)[1:3]] == ["2", "3"]
    assert table.splitlines()[-1] == "  ... and 1 more"
    assert "more" not in report.video_table(compare_videos(other, evaluation), limit=3)


def test_video_without_ground_truth_has_no_difference():
    table = report.video_table([VideoDifference(4, 9, 0, -1.0, -1.0)])
    assert cells(table)[-1] == ["4", "9", "0", "n/a", "n/a", "n/a"]


@pytest.mark.parametrize(("value", "text"), [(-0.25, "-0.2500"), (0.0, "+0.0000"), (None, "n/a")])
def test_differences_have_a_sign(value, text):
    assert report.format_difference(value) == text
