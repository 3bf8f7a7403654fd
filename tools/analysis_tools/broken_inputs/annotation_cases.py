"""Ground truth with a fault."""

from collections.abc import Iterator, Sequence
from typing import Any

from broken_inputs.cases import ACCEPTED, EITHER, REFUSED, Case, Fault, Workspace
from broken_inputs.files import JSON_FAULTS, PATH_FAULTS
from broken_inputs.good_inputs import FRAMES, HEIGHT, WIDTH
from broken_inputs.mutation import (
    DEEP,
    HUGE,
    INFINITE,
    MISSING,
    NAN,
    Change,
    copied,
    put,
    shown,
    written,
)

READERS = ("evaluate", "submit", "overlay", "report", "test", "train", "demo")
TRAINING = ("train", "demo")

VIDEO, CATEGORY, ANNOTATION = ("videos", 0), ("categories", 0), ("annotations", 0)
MASK, BOX = (*ANNOTATION, "segmentations", 0), (*ANNOTATION, "bboxes", 0)
AREA = (*ANNOTATION, "areas", 0)
PIXELS = HEIGHT * WIDTH
SIZES = [None, "64", 64.5, NAN, INFINITE, 1e12, HUGE, -1, 0, [], {}]
IDS = [MISSING, None, NAN, 1.5, [], {}, DEEP]

# Where, what is put there, and what is right.
VALUES: list[tuple[Sequence[str | int], Sequence[Any], str]] = [
    (("videos",), [MISSING, None, {}, [], "text", 5, [None], [[]], DEEP], REFUSED),
    (("categories",), [MISSING, None, {}, [], "text", 5, [None], [[]]], REFUSED),
    (("annotations",), [{}, "text", 5, [None], [[]], ["text"]], REFUSED),
    (("info",), [MISSING, None, [], NAN], ACCEPTED),
    ((*VIDEO, "width"), [MISSING, *SIZES], REFUSED),
    ((*VIDEO, "height"), [MISSING, *SIZES], REFUSED),
    ((*VIDEO, "length"), [None, "4", 4.5, NAN, INFINITE, HUGE, -1, 0, FRAMES + 1, []], REFUSED),
    ((*VIDEO, "length"), [MISSING], ACCEPTED),
    ((*VIDEO, "id"), IDS, REFUSED),
    ((*VIDEO, "id"), [2, -1, "1", HUGE], REFUSED),  # another one's, or unknown to annotations
    ((*VIDEO, "file_names"), [[], "a.jpg", 5, {}, [None] * FRAMES, [5] * FRAMES], REFUSED),
    ((*VIDEO, "file_names"), [["a.jpg"], ["a.jpg"] * (FRAMES + 1)], REFUSED),
    ((*CATEGORY, "id"), [*IDS, 2, -1, "1", HUGE], REFUSED),
    ((*CATEGORY, "name"), [MISSING, None, "square"], REFUSED),
    ((*CATEGORY, "name"), ["", 5, [], NAN, "é" * 5000, "a\nb", "</script>"], EITHER),
    ((*ANNOTATION, "id"), [MISSING, None, 2, NAN, "x"], EITHER),
    ((*ANNOTATION, "video_id"), [*IDS, 3, -1, "1", HUGE], REFUSED),
    ((*ANNOTATION, "category_id"), [*IDS, 0, 9, -1, "1", HUGE], REFUSED),
    ((*ANNOTATION, "segmentations"), [MISSING, None, {}, "text", 5, NAN], REFUSED),
    ((*ANNOTATION, "segmentations"), [[], [None], [None] * (FRAMES + 1)], REFUSED),
    ((*ANNOTATION, "segmentations"), [[None] * FRAMES], EITHER),
    (MASK, ["text", 5, NAN, True, [5], [[[]]], [{}], [None], {"a": 1}, DEEP], REFUSED),
    (MASK, [None], ACCEPTED),
    (MASK, [[], {}, "", 0, False], EITHER),
    ((*MASK, "size"), [MISSING, None, [], HEIGHT, [HEIGHT], "text", [WIDTH, HEIGHT]], REFUSED),
    ((*MASK, "size"), [[0, 0], [-HEIGHT, -WIDTH], [HUGE, HUGE], [NAN, 1], [None, None]], REFUSED),
    ((*MASK, "size"), [[float(HEIGHT), float(WIDTH)]], EITHER),
    ((*MASK, "counts"), [MISSING, None, [], {}, 5, NAN, [PIXELS + 1], [PIXELS - 1]], REFUSED),
    ((*MASK, "counts"), [[-1, PIXELS + 1], [0.5] * 2 * PIXELS, [NAN], [HUGE]], REFUSED),
    ((*MASK, "counts"), [[2**63, PIXELS], [10**30], ["1"], [None], [True], [[]]], REFUSED),
    ((*MASK, "counts"), [[0, PIXELS], [PIXELS], [0, 0, 0, PIXELS]], EITHER),
    ((*MASK, "counts"), ["", "text", "é", "\n", "0", "b'0'", "o" * 100, "P" * 10, " "], REFUSED),
    (MASK, [[[1, 1, 5, 5]], [[1, 1, 5, 5, 9]], [[]], [[1] * 7], [5, 5, 9, 9, 5, 9]], REFUSED),
    (MASK, [[[NAN, 1, 5, 1, 5, 5]], [[INFINITE, 1, 5, 1, 5, 5]], [["1", 1, 5, 1, 5, 5]]], REFUSED),
    (MASK, [[[None, 1, 5, 1, 5, 5]], [[1e12, 1, 5, 1, 5, 5]], [[1e300, 1, 5, 1, 5, 5]]], REFUSED),
    (MASK, [[[1, 1, 5, 1, 5, 5]], [[-2, -2, 5, 1, 5, 5]], [[1, 1, 200, 1, 5, 200]]], ACCEPTED),
    (MASK, [[[1, 1, 1, 1, 1, 1]], [[-9, -9, -5, -9, -5, -5]], [[True] * 6]], EITHER),
    ((*ANNOTATION, "bboxes"), [MISSING, None], ACCEPTED),
    ((*ANNOTATION, "bboxes"), ["text", 5, {}, [None], [None] * (FRAMES + 1)], REFUSED),
    (BOX, ["text", 5, [1], [1, 2, 3], [1, 2, 3, 4, 5], {"x": 1}, [None] * 4, ["1"] * 4], REFUSED),
    (BOX, [[NAN, 1, 5, 5], [1, 1, NAN, 5], [INFINITE, 1, 5, 5], [1, 1, 5, INFINITE]], REFUSED),
    (BOX, [[[1], 1, 5, 5], [DEEP, 1, 5, 5]], REFUSED),
    (BOX, [[1, 1, -5, 5], [1, 1, 5, -5]], EITHER),  # the box of the mask is taken
    (BOX, [None], ACCEPTED),
    (BOX, [[1e12, 1, 5, 5], [1, 1, 1e300, 5], [HUGE] * 4, [10**400] * 4], EITHER),
    (BOX, [[], [1, 1, 0, 0], [-5, -5, 4, 4], [True] * 4, [500, 500, 5, 5]], EITHER),
    ((*ANNOTATION, "areas"), [MISSING, None], ACCEPTED),
    ((*ANNOTATION, "areas"), ["text", 5, {}, [None], [None] * (FRAMES + 1)], REFUSED),
    (AREA, ["text", [], {}, True, NAN, INFINITE, -INFINITE, -1], REFUSED),
    (AREA, [None], ACCEPTED),
    (AREA, [0, 1e12, 1e308, HUGE, 10**400], EITHER),
    ((*ANNOTATION, "iscrowd"), [MISSING, 0, 1], ACCEPTED),
    ((*ANNOTATION, "iscrowd"), [2, -1, "yes", [], [1], NAN, 0.5], REFUSED),
    ((*ANNOTATION, "iscrowd"), [None, True, 1.0], EITHER),
    ((*ANNOTATION, "occlusion"), ["text", 5, [], [None], ["text"] * FRAMES, [5] * FRAMES], REFUSED),
]
# Those that all readers are tried with, by their names in ``shown``; evaluate is with all.
FOR_ALL_READERS = [
    ("videos", MISSING),
    ("videos", []),
    ("annotations", [None]),
    ((*VIDEO, "width"), "64"),
    ((*VIDEO, "height"), HUGE),
    ((*VIDEO, "id"), 2),
    ((*VIDEO, "file_names"), ["a.jpg"]),
    ((*VIDEO, "file_names"), ["a.jpg"] * FRAMES),
    ((*VIDEO, "file_names"), ["../../../../etc/passwd"] * FRAMES),
    ((*VIDEO, "file_names"), [""] * FRAMES),
    ((*VIDEO, "file_names"), ["a\0b"] * FRAMES),
    ((*CATEGORY, "name"), "square"),
    ((*ANNOTATION, "category_id"), 9),
    (MASK, [[1, 1, 5, 5]]),
    (MASK, [[NAN, 1, 5, 1, 5, 5]]),
    ((*MASK, "counts"), "text"),
]
# Of what only a training reads.
FOR_TRAINING: list[tuple[Sequence[str | int], Any, str]] = [
    ((*ANNOTATION, "segmentations"), [None] * FRAMES, EITHER),
    (BOX, [NAN, 1, 5, 5], REFUSED),
    (BOX, [INFINITE, 1, 5, 5], REFUSED),
    (BOX, [1e12, 1, 5, 5], EITHER),
    (BOX, [1, 1, -5, 5], EITHER),
    (BOX, [1, 1, 0, 0], EITHER),
    (BOX, [500, 500, 5, 5], EITHER),
    (BOX, None, ACCEPTED),
    ((*ANNOTATION, "bboxes"), MISSING, ACCEPTED),
    ((*ANNOTATION, "areas"), [NAN] * FRAMES, REFUSED),
    ((*ANNOTATION, "iscrowd"), 2, REFUSED),
    ((*ANNOTATION, "iscrowd"), 1, ACCEPTED),
    (("annotations",), MISSING, REFUSED),
    (("annotations",), [], REFUSED),
    (("categories",), [{"id": 1, "name": "disc"}], REFUSED),
    (VIDEO, {"id": 1, "width": WIDTH, "height": HEIGHT, "length": FRAMES}, REFUSED),
]
CHANGES: list[tuple[str, str, Change]] = [
    ("video twice", REFUSED, copied(VIDEO)),
    ("category twice", REFUSED, copied(CATEGORY)),
    ("category of the same name", REFUSED, copied(CATEGORY, id=77)),
    ("annotation twice", EITHER, copied(ANNOTATION)),
    ("video without annotations", ACCEPTED, copied(VIDEO, id=77)),
    ("ids of numbers and text", EITHER, copied(CATEGORY, id="77", name="other")),
    ("unknown key", ACCEPTED, put((*VIDEO, "colour"), "blue")),
    ("unknown top-level key", ACCEPTED, put(("more",), [{"a": 1}])),
]


def with_truth(work: Workspace, path: Any) -> dict[str, Any]:
    """Arguments for ground truth at another path."""
    if work.command in ("train", "test"):
        return {"extra": ["--cfg-options", f"{work.command}_dataloader.dataset.ann_file={path}"]}
    if work.command == "demo":
        data = work.inputs / "data"
        data.mkdir()
        for entry in work.good.data.iterdir():
            (data / entry.name).symlink_to(entry)
        (data / "train.json").unlink()
        (data / "train.json").symlink_to(path)
        return {"data": data}
    return {"truth": path}


def changed(change: Change) -> Fault:
    """Fault of the content."""

    def fault(work: Workspace) -> dict[str, Any]:
        split = "train" if work.command in TRAINING else "valid"
        content = change(work.good.truth(split))
        return with_truth(work, written(content, work.inputs / "truth.json"))

    return fault


def annotation_cases() -> Iterator[Case]:
    """Cases of broken ground truth."""
    for path, values, right in VALUES:
        for value in values:
            yield Case("evaluate", shown(path, value), right, changed(put(path, value)))
    for name, right, change in CHANGES:
        for command in ("evaluate", "train"):
            yield Case(command, name, right, changed(change))
    for command in READERS:
        for place, value in FOR_ALL_READERS:
            path = (place,) if isinstance(place, str) else place
            reads_names = command not in ("evaluate", "submit")
            names_only = path[-1] == "file_names" and len(value) == FRAMES
            right = REFUSED if reads_names or not names_only else EITHER
            if value == [None] and command in ("submit", "report", "test"):
                right = EITHER  # no ground truth, which they do not need
            if not names_only or value[0] != "a.jpg" or reads_names:
                name = f"{shown(path, value)} ({'its frames' if names_only else 'all commands'})"
                yield Case(command, name, right, changed(put(path, value)))
    for command in TRAINING:
        for path, value, right in FOR_TRAINING:
            name = f"{shown(path, value)} (training)"
            yield Case(command, name, right, changed(put(path, value)))
    yield from _file_cases()


def _file_cases() -> Iterator[Case]:
    def bytes_of(change: Any) -> Fault:
        def fault(work: Workspace) -> dict[str, Any]:
            path = work.inputs / "truth.json"
            path.write_bytes(change((work.good.data / "valid.json").read_bytes()))
            return with_truth(work, path)

        return fault

    for name, (right, change) in JSON_FAULTS.items():
        yield Case("evaluate", f"ground truth: {name}", right, bytes_of(change))
    for command in READERS[1:]:
        for name in ("empty", "cut off in the middle", "lists in lists", "UTF-16"):
            right, change = JSON_FAULTS[name]
            yield Case(command, f"ground truth: {name}", right, bytes_of(change))
    for command in READERS:
        for name, path in PATH_FAULTS.items():
            if command != "demo" or name == "folder":
                yield Case(
                    command,
                    f"ground truth: {name}",
                    REFUSED,
                    lambda work, path=path: with_truth(work, path(work.inputs)),
                )
