"""Results with a fault."""

from collections.abc import Callable, Iterator, Sequence
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

READERS = ("evaluate", "submit", "overlay", "report")
MASK = (0, "segmentations", 0)
PIXELS = HEIGHT * WIDTH
EMPTY = {"size": [HEIGHT, WIDTH], "counts": [PIXELS]}
# Where, what is put there, what is right for a submission and for all else.
VALUES: list[tuple[Sequence[str | int], Sequence[Any], str, str]] = [
    ((), [[]], EITHER, EITHER),
    ((), [[None], [[]], [5], ["text"], [{}], {"results": []}], REFUSED, REFUSED),
    ((0, "video_id"), [MISSING, None, 3, "1", 1.5, NAN, [], {}, DEEP, HUGE], REFUSED, REFUSED),
    ((0, "category_id"), [MISSING, None, 0, 9, "1", NAN, [], {}, HUGE], REFUSED, REFUSED),
    ((0, "score"), [MISSING, None, "0.9", NAN, INFINITE, -INFINITE, [], True], REFUSED, REFUSED),
    ((0, "score"), [10**400], REFUSED, REFUSED),
    ((0, "score"), [-1, 1.5, 1e300], REFUSED, EITHER),
    ((0, "score"), [0, 1], ACCEPTED, ACCEPTED),
    ((0, "segmentations"), [MISSING, None, {}, "text", 5], REFUSED, REFUSED),
    ((0, "segmentations"), [[], [None], [None] * (FRAMES + 1), [5] * FRAMES], REFUSED, REFUSED),
    ((0, "segmentations"), [[None] * FRAMES], EITHER, EITHER),
    ((0, "bboxes"), [[NAN], "text"], EITHER, EITHER),
    (MASK, ["text", 5, [5], [[1, 1, 5, 5]], [[NAN, 1, 5, 1, 5, 5]], DEEP], REFUSED, REFUSED),
    (MASK, [None], ACCEPTED, ACCEPTED),
    (MASK, [[[1, 1, 5, 1, 5, 5]], EMPTY], REFUSED, EITHER),
    ((*MASK, "size"), [MISSING, None, [], [WIDTH, HEIGHT], [HUGE] * 2], REFUSED, REFUSED),
    ((*MASK, "counts"), [MISSING, None, [], 5, NAN, [-1, PIXELS + 1], [10**30]], REFUSED, REFUSED),
    ((*MASK, "counts"), ["", "text", "é", "0", "b'0'", "o" * 100, "P" * 10], REFUSED, REFUSED),
]
CHANGES: list[tuple[str, str, str, Change]] = [
    ("result twice", REFUSED, EITHER, copied((0,))),
    ("unknown key", ACCEPTED, ACCEPTED, put((0, "more"), 5)),
    ("half of the results", ACCEPTED, ACCEPTED, lambda content: content[:1]),
]
FOR_ALL_READERS = [
    ((0, "video_id"), 3),
    ((0, "score"), NAN),
    ((0, "segmentations"), [None]),
    ((*MASK, "counts"), "text"),
]
SOME_FILE_FAULTS = ("empty", "cut off in the middle", "lists in lists", "UTF-16")


def changed(change: Change) -> Fault:
    """Fault of the content."""

    def fault(work: Workspace) -> dict[str, Any]:
        return {"results": written(change(work.good.results()), work.inputs / "results.json")}

    return fault


def bytes_changed(change: Callable[[bytes], bytes]) -> Fault:
    """Fault of the file."""

    def fault(work: Workspace) -> dict[str, Any]:
        path = work.inputs / "results.json"
        path.write_bytes(change((work.good.folder / "results.json").read_bytes()))
        return {"results": path}

    return fault


def results_cases() -> Iterator[Case]:
    """Cases of broken results."""
    for command, is_submission in (("evaluate", False), ("submit", True)):
        for path, values, submitted, evaluated in VALUES:
            for value in values:
                right = submitted if is_submission else evaluated
                name = f"results: {shown(path, value)}"
                yield Case(command, name, right, changed(put(path, value)))
        for name, submitted, evaluated, change in CHANGES:
            right = submitted if is_submission else evaluated
            yield Case(command, f"results: {name}", right, changed(change))
        for name, (right, change) in JSON_FAULTS.items():
            yield Case(command, f"results: {name}", right, bytes_changed(change))
    for command in ("overlay", "report"):
        for path, value in FOR_ALL_READERS:
            yield Case(
                command, f"results: {shown(path, value)}", REFUSED, changed(put(path, value))
            )
        for name in SOME_FILE_FAULTS:
            right, change = JSON_FAULTS[name]
            yield Case(command, f"results: {name}", right, bytes_changed(change))
    for command in READERS:
        for name, place in PATH_FAULTS.items():
            yield Case(
                command,
                f"results: {name}",
                REFUSED,
                lambda work, place=place: {"results": place(work.inputs)},
            )
    for command in READERS:
        yield Case(command, "ground truth as results", REFUSED, _truth_as_results)
        yield Case(command, "results as ground truth", REFUSED, _results_as_truth)


def _truth_as_results(work: Workspace) -> dict[str, Any]:
    return {"results": work.good.data / "valid.json"}


def _results_as_truth(work: Workspace) -> dict[str, Any]:
    return {"truth": work.good.folder / "results.json"}
