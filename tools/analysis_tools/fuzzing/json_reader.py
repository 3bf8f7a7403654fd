"""Random files of ground truth and of results."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from broken_inputs.mutation import DEEP, DEPTH, MISSING, put
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from fuzzing.harness import Reader
from fuzzing.inputs import COUNTS, TEXTS, VALUES, Input, require
from mmttsrn.datasets.synthetic import write_moving_shapes
from mmttsrn.errors import UserInputError
from mmttsrn.evaluation.ytvis import evaluate
from mmttsrn.formats.ground_truth import GroundTruth, decode_masks, read_ground_truth
from mmttsrn.formats.results import read_results
from mmttsrn.formats.rle import encode_segmentation

TRUTH, RESULTS = "truth.json", "results.json"
HEIGHT, WIDTH = 32, 48
DOUBLE = "<double>"  # at the end of a key: written without, so that the key is there twice
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp037")

Place = tuple[str | int, ...]


def json_reader(folder: Path) -> Reader:
    """Return the reader of json files; a good data set is written to the folder."""
    write_moving_shapes(folder / "data", 1, 2, 3, (HEIGHT, WIDTH), 2)
    path = folder / "data" / "valid.json"
    content = json.loads(path.read_text())
    for index, annotation in enumerate(content["annotations"]):
        annotation["segmentations"] = [_form(m, index) for m in annotation["segmentations"]]
    results = [
        {key: annotation[key] for key in ("video_id", "category_id", "segmentations")}
        | {"score": 0.5}
        for annotation in content["annotations"]
    ]
    truth = read_ground_truth(path)
    inputs = st.one_of(_files(TRUTH, content), _files(RESULTS, results))
    return Reader("json", inputs, lambda file: _read(file, truth))


def _form(mask: Any, index: int) -> Any:
    """Give masks of several forms."""
    if mask is None or index % 3 == 0:
        return mask
    if index % 3 == 1:
        return encode_segmentation(mask, HEIGHT, WIDTH)
    return [[1, 1, 9, 1, 9, 9.5, 1, 9]]


def _read(file: Path, truth: GroundTruth) -> bool:
    """Read a file and compute with what was read."""
    try:
        if file.name == RESULTS:
            evaluate(truth, read_results(file, truth), num_threads=1)
            return True
        found = read_ground_truth(file)
        for video in found.videos.values():
            decode_masks(video, video.sequences)
        read_ground_truth(file, need_annotations=True, need_frames=True)
    except UserInputError as error:
        check_line(error)
        return False
    return True


def check_line(error: UserInputError) -> None:
    """Check that a refusal is one line, of a length that one reads, that can be printed."""
    text = str(error)
    require(len(text.splitlines()) == 1, "is not one line")
    require(len(text) < 1000, "is a long line")
    text.encode()


def _files(name: str, content: Any) -> SearchStrategy[Input]:
    good = json.dumps(content)
    places = list(_places(content))
    parts = st.sampled_from([json.dumps(_at(content, place)) for place in places]).map(json.loads)
    size = st.sampled_from([[HEIGHT, WIDTH]] * 3 + [[WIDTH, HEIGHT], [0, 0]])
    masks = st.one_of(
        st.fixed_dictionaries({"size": size, "counts": COUNTS}),
        st.fixed_dictionaries(
            {"size": size, "counts": st.lists(st.integers(-1, HEIGHT * WIDTH), max_size=6)}
        ),
        st.lists(st.lists(st.floats(-600, 600), max_size=12), max_size=3),
    )
    values = st.one_of(VALUES, masks, masks, parts, st.sampled_from([MISSING, DEEP]))
    change = st.tuples(st.sampled_from(places), values, st.sampled_from(["put", "double", "list"]))
    texts = st.builds(_text, st.just(good), st.lists(change, min_size=1, max_size=3), st.booleans())
    written = st.one_of(
        texts.map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.just(good.encode()),
        st.builds(
            lambda text, encoding: text.encode(encoding, "replace"),
            texts,
            st.sampled_from(ENCODINGS),
        ),
        VALUES.map(lambda value: json.dumps(value).encode()),
        st.builds(lambda text, tail: (text + tail).encode("utf-8", "replace"), texts, TEXTS),
    )
    return st.builds(Input, st.just(name), written)


def _places(node: Any, place: Place = ()) -> Iterator[Place]:
    yield place
    items: Any = node.items() if isinstance(node, dict) else ()
    items = enumerate(node) if isinstance(node, list) else items
    for key, value in items:
        yield from _places(value, (*place, key))


def _at(node: Any, place: Place) -> Any:
    for key in place:
        node = node[key]
    return node


def _text(good: str, changes: list[tuple[Place, Any, str]], is_ascii: bool) -> str:
    """Change json in some places and write it, as Python does."""
    content = json.loads(good)
    for place, drawn, kind in changes:
        # A later change may be inside of it, and hypothesis draws the same object again.
        value = drawn if drawn is MISSING else copy.deepcopy(drawn)
        try:
            if kind == "double" and place:
                name = f"{place[-1]}{DOUBLE}"
                _at(content, place[:-1])[name] = None if value is MISSING else value
            elif kind == "list" and isinstance(_at(content, place), list):
                _at(content, place).append(None if value is MISSING else value)
            elif place or value is not MISSING:
                content = put(place, value)(content)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change has removed the place
    text = json.dumps(content, ensure_ascii=is_ascii).replace(DOUBLE, "")
    return text.replace(f'"{DEEP}"', "[" * DEPTH + "]" * DEPTH)
