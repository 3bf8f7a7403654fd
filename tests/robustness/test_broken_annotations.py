"""Ground truth and results that are broken in one place, and json files that are none."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from commands import run_command
from faults import (
    BROKEN_JSON,
    DEEP_JSON,
    DEPTH,
    HUGE,
    INFINITE,
    MISSING,
    NAN,
    PATHS,
    check_line,
    place_of,
    put,
    refused,
    rows,
)
from good_inputs import GoodInputs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vis_json import HEIGHT, WIDTH, ground_truth, perfect_results

from mmttsrn.errors import UserInputError
from mmttsrn.evaluation.analysis.errors import analyse_errors
from mmttsrn.evaluation.ytvis import evaluate
from mmttsrn.formats.ground_truth import GroundTruth, read_ground_truth
from mmttsrn.formats.results import read_results

FRAMES, PIXELS = 4, HEIGHT * WIDTH
TRUTH = ground_truth((3, FRAMES))
for _video, _annotation in zip(TRUTH["videos"], TRUTH["annotations"], strict=True):
    _count = _video["length"]
    _video["file_names"] = [f"{_video['id']}/{frame}.jpg" for frame in range(_count)]
    _annotation |= {"bboxes": [[0, 4, 10, 10]] * _count, "areas": [100] * _count}
RESULTS = perfect_results(TRUTH)
MASK = "annotations.1.segmentations.0"
SIZES = [None, "64", "64.0", 64.5, True, NAN, INFINITE, HUGE, -1, 0, [], 2**16 + 1]
IDS = [MISSING, None, NAN, 1.5, [], {}, True]
# Of the mask of a frame, in ground truth and in results: other than a mask, RLE, polygons.
MASKS: list[tuple[str, list]] = [
    ("", ["text", 5, NAN, True, [5], [[[]]], [{}], [None], {"a": 1}]),
    (".size", [MISSING, None, [], HEIGHT, [HEIGHT], "text", [WIDTH, HEIGHT], [HUGE, HUGE]]),
    (".counts", [MISSING, None, [], {}, 5, NAN, [PIXELS + 1], [-1, PIXELS + 1], [0.5] * 9, [HUGE]]),
    (".counts", [[2**63, PIXELS], [10**30], ["1"], [None], "", "text", "é", "0", "b'0'", "9"]),
    (".counts", ["4N", "PPPPPP4", "o" * 100, "oooooooo1", "\n"]),
    ("", [[[1, 1, 5, 5]], [[1, 1, 5, 5, 9]], [[NAN, 1, 5, 1, 5, 5]], [["1", 1, 5, 1, 5, 5]]]),
    ("", [[[INFINITE, 1, 5, 1, 5, 5]], [[None, 1, 5, 1, 5, 5]], [[1e12, 1, 5, 1, 5, 5]]]),
]


@pytest.fixture
def truth() -> GroundTruth:
    return read_ground_truth(put(TRUTH, (), TRUTH))


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def read_for_training(path: Path) -> GroundTruth:
    return read_ground_truth(path, need_annotations=True, need_frames=True)


@pytest.mark.parametrize(
    ("place", "value"),
    rows(
        ("", [None, 5, [], {}, "text"]),
        ("videos", [MISSING, None, {}, [], "text", [None], [[]]]),
        ("categories", [MISSING, None, {}, [], "text", [None], [[]]]),
        ("annotations", [MISSING, None, {}, [], "text", [None], [[]]]),
        ("videos.1.width", [MISSING, *SIZES]),
        ("videos.1.height", [MISSING, *SIZES, 2**26]),
        ("videos.1.id", [*IDS, 1, "2"]),
        ("videos.1.file_names", [MISSING, [], "a.jpg", 5, {}, [None] * FRAMES, ["a.jpg"]]),
        ("categories.1.id", [*IDS, 3, "7"]),
        ("categories.1.name", [MISSING, None, "cat"]),
        ("annotations.1.video_id", [*IDS, 3, "2", HUGE]),
        ("annotations.1.category_id", [*IDS, 0, "7", HUGE]),
        ("annotations.1.segmentations", [MISSING, None, {}, "text", [], [None] * (FRAMES + 1)]),
        ("annotations.1.bboxes", ["text", 5, {}, [None], [None] * (FRAMES + 1)]),
        ("annotations.1.bboxes.0", ["text", 5, [1], [1] * 5, {"x": 1}, [None] * 4, ["1"] * 4]),
        ("annotations.1.bboxes.0", [[NAN, 1, 5, 5], [1, 1, INFINITE, 5], [1e12, 1, 5, 5]]),
        ("annotations.1.areas", ["text", 5, {}, [None], [None] * (FRAMES + 1)]),
        ("annotations.1.areas.0", ["2", [], {}, True, NAN, INFINITE, -1, 1e12]),
        ("annotations.1.iscrowd", [2, -1, "yes", [], NAN, 0.5]),
        *((f"{MASK}{place}", values) for place, values in MASKS),
    ),
)
def test_broken_ground_truth(tmp_path: Path, place: str, value: Any) -> None:
    path = write(tmp_path / "truth.json", put(TRUTH, place, value))
    with refused("truth.json", *place_of(place)[:4]):
        read_for_training(path)


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        ("videos.1.length", FRAMES + 1, ["videos", 1, "length"]),
        ("videos.1.length", NAN, ["videos", 1, "length"]),
        ("videos.1.id", 77, ["annotations", 1, "video_id"]),
        ("categories.1.id", 77, ["annotations", 1, "category_id"]),
        ("annotations.1.occlusion", [None], ["annotations", 1, "occlusion"]),
        ("annotations.1.occlusion", ["much"] * FRAMES, ["annotations", 1, "occlusion", 0]),
    ],
)
def test_ground_truth_that_contradicts_itself(
    tmp_path: Path, place: str, value: Any, says: list
) -> None:
    path = write(tmp_path / "truth.json", put(TRUTH, place, value))
    with refused("truth.json", *says):
        read_for_training(path)


@pytest.mark.parametrize(
    ("place", "value"),
    rows(
        ("info", [None, [], NAN]),
        ("videos.1.length", [MISSING, 4.0]),
        ("videos.1.width", [WIDTH * 1.0]),
        ("videos.1.id", [2.0]),
        ("annotations.1.video_id", [2.0]),
        (f"{MASK}.size", [[HEIGHT * 1.0, WIDTH * 1.0]]),
        (f"{MASK}.counts", [[PIXELS * 1.0]]),
        ("videos.1.colour", ["blue"]),
        ("categories.1.name", ["", "é" * 5000, "a\nb", "</script>"]),
        ("annotations.1.id", [None, 1, "x"]),
        (MASK, [None, [], {}, [[1, 1, 5, 1, 5, 5]], [[-2, -2, 5, 1, 5, 5]], [[True] * 6]]),
        (f"{MASK}.counts", [[PIXELS], [0, PIXELS], [0, 0, 0, PIXELS]]),
        ("annotations.1.bboxes", [MISSING, None]),
        ("annotations.1.bboxes.0", [None, [], [1, 1, 0, 0], [1, 1, -5, 5], [500, 500, 5, 5]]),
        ("annotations.1.areas", [MISSING, None]),
        ("annotations.1.iscrowd", [MISSING, None, 0, 1, True, 1.0]),
    ),
)
def test_odd_ground_truth_is_accepted(tmp_path: Path, place: str, value: Any) -> None:
    found = read_for_training(write(tmp_path / "truth.json", put(TRUTH, place, value)))
    assert [video.length for video in found.videos.values()] == [3, FRAMES]
    assert evaluate(found, read_results(RESULTS, found), num_threads=1).stats["mAP_50"] >= 0


@pytest.mark.parametrize(
    ("place", "value"),
    rows(
        ("1", [None, [], 5, "text", {}]),
        ("1.video_id", [MISSING, None, 3, "2", 1.5, NAN, [], {}, True, HUGE]),
        ("1.category_id", [MISSING, None, 0, "7", 7.5, NAN, [], {}, True, HUGE]),
        ("1.score", [MISSING, None, "0.9", NAN, INFINITE, -INFINITE, [], True, 10**400]),
        ("1.segmentations", [MISSING, None, {}, "text", 5, [], [None], [None] * (FRAMES + 1)]),
        *((f"1.segmentations.0{place}", values) for place, values in MASKS),
    ),
)
def test_broken_results(tmp_path: Path, truth: GroundTruth, place: str, value: Any) -> None:
    path = write(tmp_path / "results.json", put(RESULTS, place, value))
    with refused("results.json", *place_of(place)[:3]):
        evaluate(truth, read_results(path, truth), num_threads=1)


@pytest.mark.parametrize(
    ("place", "value"),
    rows(
        ("", [[]]),
        ("1.score", [0, 1, -1, 1.0, 1e300]),
        ("1.video_id", [2.0]),
        ("1.category_id", [7.0]),
        ("1.bboxes", ["text", [NAN]]),
        ("1.segmentations", [[None] * FRAMES]),
        ("1.segmentations.0", [None, [[1, 1, 5, 1, 5, 5]]]),
    ),
)
def test_odd_results_are_accepted(truth: GroundTruth, place: str, value: Any) -> None:
    found = evaluate(truth, read_results(put(RESULTS, place, value), truth), num_threads=1)
    assert 0 <= found.stats["mAP_50"] <= 1


@pytest.mark.parametrize("is_truth", [True, False], ids=["ground truth", "results"])
@pytest.mark.parametrize("change", BROKEN_JSON.values(), ids=BROKEN_JSON)
def test_files_that_are_no_json(
    tmp_path: Path, truth: GroundTruth, change: Callable[[bytes], bytes], is_truth: bool
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(change(json.dumps(TRUTH if is_truth else RESULTS).encode()))
    with refused("a.json"):
        if is_truth:
            read_ground_truth(path)
        else:
            read_results(path, truth)


@pytest.mark.parametrize("place", PATHS.values(), ids=PATHS)
def test_paths_of_no_json_file(tmp_path: Path, truth: GroundTruth, place: Callable) -> None:
    path = place(tmp_path, "a.json")
    for read in (read_ground_truth, lambda path: read_results(path, truth)):
        with refused(path.name):
            read(path)


@pytest.mark.parametrize("is_truth", [True, False], ids=["ground truth", "results"])
@pytest.mark.parametrize("name", [*DEEP_JSON, 500, 980, 3000, DEPTH])
def test_nesting_that_parsers_do_not_survive(
    good: GoodInputs, tmp_path: Path, name: str | int, is_truth: bool
) -> None:
    path = tmp_path / "a.json"
    source = good.truth if is_truth else good.results
    if isinstance(name, int):
        deep = "[" * name + "]" * name
        place = "annotations.0.segmentations.0" if is_truth else "0.segmentations.0"
        path.write_text(
            json.dumps(put(json.loads(source.read_text()), place, "@")).replace('"@"', deep)
        )
    else:
        path.write_bytes(DEEP_JSON[name](source.read_bytes()))
    words = (path, good.results) if is_truth else (good.truth, path)
    run_command("analysis_tools/eval_vis.py", *words, folder=tmp_path).check_refused("a.json")


def places(content: Any, prefix: tuple = ()) -> list[tuple]:
    """Paths of all that content holds; of lists, of their first two entries."""
    found = [prefix] if prefix else []
    items = content.items() if isinstance(content, dict) else enumerate(content[:2])
    for key, value in items:
        is_deep = isinstance(value, (dict, list))
        found += places(value, (*prefix, key)) if is_deep else [(*prefix, key)]
    return found


def evaluated_or_refused(folder: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        (folder / f"{name}.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        truth = read_ground_truth(folder / "truth.json")
        results = read_results(folder / "results.json", truth)
        analyse_errors(truth, results)
        evaluate(truth, results, num_threads=1)
    except UserInputError as error:
        check_line(str(error), ["json"])


FILES = {"truth": TRUTH, "results": RESULTS}
ALL_PLACES = [(name, place) for name, content in FILES.items() for place in places(content)]
junk = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 10**12), st.floats(), st.text(max_size=4),
    st.lists(st.integers(0, 30), max_size=4), st.builds(dict), st.just(MISSING),
)  # fmt: skip


@pytest.mark.parametrize("depth", [500, 980])
def test_lists_within_lists_anywhere(tmp_path: Path, depth: int) -> None:
    texts = {name: json.dumps(content) for name, content in FILES.items()}
    for name, place in ALL_PLACES:
        deep = json.dumps(put(FILES[name], place, "@"))
        deep = deep.replace('"@"', "[" * depth + "]" * depth)
        evaluated_or_refused(tmp_path, {**texts, name: deep})


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(ALL_PLACES), junk), max_size=3), st.data())
def test_any_change_is_evaluated_or_refused(
    tmp_path: Path, changes: list, data: st.DataObject
) -> None:
    files = dict(FILES)
    for (name, place), value in changes:
        with suppress(KeyError, IndexError, TypeError):  # another change took the place away
            files[name] = put(files[name], place, value)
    texts = {name: json.dumps(content) for name, content in files.items()}
    name = data.draw(st.sampled_from([None, *texts]))
    if name:  # cut off, or one character changed
        at = data.draw(st.integers(0, len(texts[name])))
        rest = data.draw(st.sampled_from(["", texts[name][at + 1 :]]))
        texts[name] = texts[name][:at] + data.draw(st.text(max_size=1)) + rest
    evaluated_or_refused(tmp_path, texts)
