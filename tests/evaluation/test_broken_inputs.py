"""Broken files end in one line that names entry and field, and in nothing else."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as mask_utils

from mmttsrn.errors import UserInputError
from mmttsrn.evaluation import evaluate_ytvis
from mmttsrn.evaluation.analysis.errors import analyse_errors
from mmttsrn.formats.ground_truth import read_ground_truth
from mmttsrn.formats.results import read_results

HEIGHT, WIDTH = 4, 5
NAN = float("nan")


def rle(pixels: list[int]) -> dict[str, Any]:
    mask = np.zeros(HEIGHT * WIDTH, np.uint8)
    mask[pixels] = 1
    encoded = mask_utils.encode(np.asfortranarray(mask.reshape(HEIGHT, WIDTH)))
    return {"size": [HEIGHT, WIDTH], "counts": encoded["counts"].decode()}


GT = {
    "videos": [
        {"id": 1, "height": HEIGHT, "width": WIDTH, "length": 2, "file_names": ["a.jpg", "b.jpg"]},
        {"id": 2, "height": HEIGHT, "width": WIDTH, "length": 1, "file_names": ["c.jpg"]},
    ],
    "categories": [{"id": 3, "name": "cat"}, {"id": 4, "name": "dog"}],
    "annotations": [
        {
            "id": 1,
            "video_id": 1,
            "category_id": 3,
            "iscrowd": 0,
            "segmentations": [rle([1, 2]), None],
            "areas": [2, None],
            "bboxes": [[0, 1, 1, 2], None],
            "occlusion": ["no_occlusion", None],
        },
        {
            "video_id": 2,
            "category_id": 4,
            "segmentations": [{"size": [HEIGHT, WIDTH], "counts": [3, 5, 12]}],
        },
    ],
}
RESULTS = [
    {"video_id": 1, "category_id": 3, "score": 0.9, "segmentations": [rle([1, 2]), rle([7])]},
    {"video_id": 2, "category_id": 4, "score": 0.5, "segmentations": [rle([3, 4, 5])]},
]


def change(path: str, value: Any) -> Callable[[Any], None]:
    def apply(content: Any) -> None:
        *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        for key in parents:
            content = content[key]
        content[last] = value

    return apply


def refusal(gt: Any, results: Any) -> str:
    with pytest.raises(UserInputError) as caught:
        evaluate_ytvis(gt, results)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_unbroken_files_are_evaluated() -> None:
    assert evaluate_ytvis(GT, RESULTS).stats["mAP_50"] > 0


@pytest.mark.parametrize(
    ("apply", "message"),
    [
        (change("0.video_id", 9), "results: entry 0: video_id: 9 is not in ground truth"),
        (change("0.video_id", [1]), "entry 0: video_id: [1] is not in"),
        (change("1.category_id", 0), "entry 1: category_id: 0 is not in"),
        (change("1.category_id", True), "entry 1: category_id: True is not in"),
        (change("1.score", float("nan")), "entry 1: score: nan is no finite number"),
        (change("1.score", 10**400), "is no finite number"),
        (change("1.score", "0.5"), "entry 1: score: '0.5' is no finite number"),
        (change("0.segmentations", [None]), "entry 0: segmentations: has 1 entries, expected one"),
        (change("0.segmentations", {}), "entry 0: segmentations: is a dict, expected a list"),
        (change("0.segmentations.1.size", [5, 4]), "entry 0: segmentations[1]: RLE size is [5, 4]"),
        (change("1.segmentations.0.size", [9, 9]), "entry 1: segmentations[0]: RLE size is [9, 9]"),
        (change("0.segmentations.1.counts", b"f0"), "entry 0: segmentations[1]: RLE counts is a b"),
        (
            change("0.segmentations.1.counts", "f"),
            "entry 0: segmentations[1]: RLE counts string is",
        ),
        (change("0.segmentations.1.counts", "9"), "segmentations[1]: RLE counts sum to 9 pix"),
        (change("0.segmentations.1.counts", [9]), "segmentations[1]: RLE counts sum to 9 pixels"),
        (change("0.segmentations.1.counts", "oooooooo1"), "segmentations[1]: RLE counts string is"),
        (change("0.segmentations.1.counts", "PPPPPP4"), "segmentations[1]: RLE counts sum to 4294"),
        (change("0.segmentations.1.counts", "4N"), "segmentations[1]: RLE counts string holds a n"),
        (change("0.segmentations.1.counts", [2**33]), "segmentations[1]: RLE counts sum to 85899"),
        (change("0.segmentations.1.counts", [2**70]), "segmentations[1]: RLE counts sum to 11805"),
        (change("0.segmentations.1.counts", [25, -5]), "segmentations[1]: RLE counts must be non-"),
        (change("0.segmentations.1", [[NAN] * 6]), "segmentations[1]: polygon 0 has the coord"),
        (change("0.video_id", "1"), "entry 0: video_id: '1' is not in ground truth, which has ids"),
        (change("0.video_id", 1.0), "entry 0: video_id: 1.0 is not in ground truth, which has ids"),
        (change("0.segmentations.1", "x"), "entry 0: segmentations[1]: is a str"),
        (change("1", None), "entry 1: is a NoneType; expected a list of {video_id"),
        (lambda results: results[1].pop("score"), "entry 1: score: missing key"),
    ],
)
def test_broken_results(apply: Callable[[Any], None], message: str) -> None:
    results = copy.deepcopy(RESULTS)
    apply(results)
    assert message in refusal(GT, results)


@pytest.mark.parametrize(
    ("apply", "message"),
    [
        (change("annotations.0.segmentations.0.counts", "9"), "annotations[0].segmentations[0]: R"),
        (change("annotations.1.segmentations.0.counts", "9"), "annotations[1].segmentations[0]: R"),
        (change("annotations.1.segmentations.0.counts", [3]), "annotations[1].segmentations[0]: R"),
        (change("annotations.1.segmentations.0.counts", "PPPPPP4"), "[0]: RLE counts sum to 4294"),
        (change("annotations.1.segmentations.0.counts", "4N"), "[0]: RLE counts string holds a n"),
        (change("annotations.1.segmentations.0.counts", [2**33]), "[0]: RLE counts sum to 858993"),
        (change("annotations.1.segmentations.0.counts", [25, -5]), "[0]: RLE counts must be non-"),
        (change("annotations.1.segmentations.0", [[NAN] * 6]), "[0]: polygon 0 has the coord"),
        *(
            (change("annotations.0.areas.0", area), f"annotations[0].areas[0]: {area!r} is no num")
            for area in (NAN, -1, 1e12, float("inf"), True)
        ),
        *(
            (change("annotations.0.bboxes.0", [0, x, 1, 2]), "bboxes[0]: [0, " + repr(x))
            for x in (NAN, 51, -51, 1e12, float("inf"), "1")
        ),
        *(
            (change("annotations.0.iscrowd", flag), f"annotations[0].iscrowd: {flag!r} is no flag")
            for flag in (2, -1, 0.5, NAN, "yes", [])
        ),
        (change("categories.1.name", "cat"), "categories[1].name: 'cat' is already the name of ca"),
        (change("categories.1.id", "4"), "categories[1].id: '4' is not of the type of 3, the id"),
        (change("videos.1.id", "1"), "videos[1].id: '1' is not of the type of 1, the id of videos"),
        (change("videos.0.id", 1.0), "videos[0].id: 1.0 is no id"),
        (change("annotations.0.video_id", True), "annotations[0].video_id: True is not an id in"),
        (change("annotations.0.video_id", "1"), "video_id: '1' is not an id in 'videos', such as"),
        (change("annotations.0.category_id", 3.0), "category_id: 3.0 is not an id in 'categories'"),
        (change("videos.0.width", 2**16 + 1), "videos[0].width, height: frames of 65537x4 are too"),
        (change("videos.0.height", 2**26), "videos[0].width, height: frames of 5x67108864 are too"),
        (change("annotations.0.areas.0", "2"), "annotations[0].areas[0]: '2' is no number of pix"),
        (
            change("annotations.0.occlusion.0", "much"),
            "annotations[0].occlusion[0]: 'much' is",
        ),
        (change("annotations.0.occlusion", [None]), "annotations[0].occlusion: expected a list wi"),
        (change("annotations.0.category_id", 7), "annotations[0].category_id: 7 is not an id"),
        (change("videos.0.height", 0), "videos[0].height: 0 is not a size"),
        (change("videos.0.id", None), "videos[0].id: missing key"),
        (change("videos.0.id", [1]), "videos[0].id: [1] is no id"),
        (change("categories", {}), "categories: missing or not a list"),
    ],
)
def test_broken_ground_truth(apply: Callable[[Any], None], message: str) -> None:
    gt = copy.deepcopy(GT)
    apply(gt)
    assert message in refusal(gt, RESULTS)


def test_frames_have_a_largest_size() -> None:
    gt = copy.deepcopy(GT)
    gt["annotations"].pop(0)
    gt["videos"][0].update(height=2**14, width=2**13)
    assert read_ground_truth(gt).videos[1].height == 2**14
    gt["videos"][0]["width"] += 1
    message = r"^ground truth: videos\[0\]\.width, height: frames of 8193x16384 are too large"
    with pytest.raises(UserInputError, match=message):
        read_ground_truth(gt)


@pytest.mark.parametrize("flag", [None, False, 0, 1, True])
def test_flags_of_crowds(flag: bool | int | None) -> None:
    gt = copy.deepcopy(GT)
    gt["annotations"][0]["iscrowd"] = flag
    assert read_ground_truth(gt).videos[1].sequences[0].is_crowd is bool(flag)


@pytest.mark.parametrize("depth", [500, 980, 3000])
def test_lists_within_lists_are_refused_wherever_they_are(tmp_path: Path, depth: int) -> None:
    files = {"gt": GT, "results": RESULTS}
    texts = {name: json.dumps(content) for name, content in files.items()}
    for broken, content in files.items():
        for place in [(), *paths(content)]:
            changed = [copy.deepcopy(content)]
            change(".".join(map(str, (0, *place))), "@")(changed)
            deep = json.dumps(changed[0]).replace('"@"', "[" * depth + "]" * depth)
            for name, text in {**texts, broken: deep}.items():
                (tmp_path / f"{name}.json").write_text(text)
            message = ""
            try:
                evaluate_ytvis(tmp_path / "gt.json", tmp_path / "results.json", num_threads=1)
            except UserInputError as error:
                message = str(error)
            assert "\n" not in message
            assert len(message) < 1000


def test_results_of_another_form() -> None:
    assert "results: top level: is a dict; expected a list" in refusal(GT, {})
    assert "ground truth: top level: is a list" in refusal([], RESULTS)


def test_frames_need_no_names() -> None:
    gt = copy.deepcopy(GT)
    for video in gt["videos"]:
        del video["file_names"]
    assert evaluate_ytvis(gt, RESULTS).stats == evaluate_ytvis(GT, RESULTS).stats


junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**12),
    st.floats(allow_nan=True),
    st.text(max_size=4),
    st.lists(st.integers(0, 30), max_size=4),
    st.builds(dict),
    st.builds(lambda: {"size": [HEIGHT, WIDTH], "counts": "a0"}),
)


def paths(content: Any, prefix: tuple = ()) -> list[tuple]:
    found = [prefix] if prefix else []
    items = content.items() if isinstance(content, dict) else enumerate(content)
    if isinstance(content, (dict, list)):
        for key, value in items if content else ():
            found += paths(value, (*prefix, key)) if isinstance(value, (dict, list)) else [
                (*prefix, key)
            ]  # fmt: skip
    return found


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_change_is_evaluated_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    files = {"gt": copy.deepcopy(GT), "results": copy.deepcopy(RESULTS)}
    for _ in range(data.draw(st.integers(1, 3))):
        content = files[data.draw(st.sampled_from(["gt", "results"]))]
        *parents, last = data.draw(st.sampled_from(paths(content)))
        for key in parents:
            content = content[key]
        if data.draw(st.booleans()):
            content[last] = data.draw(junk)
        elif isinstance(content, dict):
            del content[last]
    texts = {name: json.dumps(content) for name, content in files.items()}
    name = data.draw(st.sampled_from([None, "gt", "results"]))
    if name:  # cut off, or one character changed
        position = data.draw(st.integers(0, len(texts[name])))
        rest = data.draw(st.sampled_from(["", texts[name][position + 1 :]]))
        texts[name] = texts[name][:position] + data.draw(st.text(max_size=1)) + rest
    for name, text in texts.items():
        (tmp_path / f"{name}.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    message = ""
    try:
        truth = read_ground_truth(tmp_path / "gt.json")
        analyse_errors(truth, read_results(tmp_path / "results.json", truth))
        evaluate_ytvis(tmp_path / "gt.json", tmp_path / "results.json", num_threads=1)
    except UserInputError as error:
        message = str(error)
    assert "\n" not in message
