"""Readers read or refuse whatever they are given: files of random content, and planted faults."""

import ctypes
import faulthandler
import io
import json
import mmap
import os
import pickle
import pickletools
import struct
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import watching
from faults import HUGE, INFINITE, MISSING, NAN, Place, put
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from safetensors.torch import save
from vis_json import HEIGHT, WIDTH, ground_truth, perfect_results, square
from watching import MARKER, Input, fuzz

from mmttsrn.checkpoints import load_checkpoint_file
from mmttsrn.checkpoints.run_checkpoints import check_training_state
from mmttsrn.checkpoints.state import as_checkpoint, named_tensors
from mmttsrn.checkpoints.stored_config import stored_config
from mmttsrn.errors import input_errors
from mmttsrn.evaluation.ytvis import evaluate
from mmttsrn.formats.encoded_masks import pack_masks
from mmttsrn.formats.ground_truth import decode_masks, read_ground_truth
from mmttsrn.formats.intervals import decode_intervals
from mmttsrn.formats.results import read_results
from mmttsrn.formats.rle import encode_segmentation
from mmttsrn.setup_env import register_all_modules

FEW, MANY = 300, 5_000
PIXELS = HEIGHT * WIDTH
NUMBERS = st.one_of(
    st.integers(-3, 70), st.floats(),
    st.sampled_from([2**31, 2**32, 2**63, 2**64, -(2**63), HUGE, 10**400, NAN, INFINITE, 1e308]),
)  # fmt: skip
# The characters of compressed masks and their neighbours; any text, with lone surrogates.
COUNTS = st.text(st.characters(min_codepoint=45, max_codepoint=115), max_size=30)
TEXTS = st.text(st.characters(exclude_categories=()), max_size=9) | COUNTS | st.just("0" * 5000)
VALUES: SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
TOKENS = [b"", b"\0" * 8, b"\xff" * 8, b"\xff\xff\xff\x7f", b'"', b"{", b"]", b"1e999", b"\\ud800"]


def changed(good: SearchStrategy[bytes]) -> SearchStrategy[bytes]:
    """Bytes that are replaced or removed in a few places, many at the end, as archives have it."""
    place = st.integers(0, 10_000) | st.integers(-300, -1)
    change = st.tuples(place, st.integers(0, 60), st.sampled_from(TOKENS) | st.binary(max_size=8))

    def apply(content: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
        for at, removed, added in changes:
            at %= len(content) + 1
            content = content[:at] + added + content[at + removed :]
        return content

    return st.builds(apply, good, st.lists(change, min_size=1, max_size=4))


def named(name: str, contents: SearchStrategy[bytes]) -> SearchStrategy[Input]:
    return contents.map(lambda content: (name, content))


TRUTH = ground_truth((2, 3))
TRUTH["annotations"][1]["segmentations"][0] = {"size": [HEIGHT, WIDTH], "counts": [9, PIXELS - 9]}
TRUTH["annotations"][1]["segmentations"][1] = [[1, 1, 9, 1, 9, 9.5, 1, 9]]
for _annotation, _count in zip(TRUTH["annotations"], (2, 3), strict=True):
    _annotation |= {"bboxes": [[0, 4, 9, 9]] * _count, "areas": [100] * _count}
for _video in TRUTH["videos"]:
    _video["file_names"] = ["a.jpg"] * _video["length"]
RESULTS = perfect_results(TRUTH)
MASKS = st.one_of(
    st.fixed_dictionaries({"size": st.just([HEIGHT, WIDTH]), "counts": COUNTS}),
    st.fixed_dictionaries({"size": st.just([HEIGHT, WIDTH]), "counts": st.lists(NUMBERS)}),
    st.lists(st.lists(st.floats(-600, 600), max_size=12), max_size=3),
)


def places(node: Any, place: Place = ()) -> Iterator[Place]:
    yield place
    items: Any = node.items() if isinstance(node, dict) else ()
    for key, value in enumerate(node) if isinstance(node, list) else items:
        yield from places(value, (*place, key))


def json_files(name: str, content: Any) -> SearchStrategy[Input]:
    change = st.tuples(
        st.sampled_from(list(places(content))), VALUES | MASKS | MASKS | st.just(MISSING)
    )

    def text(changes: list[tuple[Place, Any]], is_ascii: bool) -> bytes:
        result = content
        for place, value in changes:
            try:
                result = put(result, place, None if value is MISSING and not place else value)
            except (KeyError, IndexError, TypeError):
                continue  # an earlier change has removed the place
        return json.dumps(result, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")

    texts = st.builds(text, st.lists(change, min_size=1, max_size=3), st.booleans())
    odd = st.sampled_from(["utf-8-sig", "utf-16", "utf-32"]).map(json.dumps(content).encode)
    return named(
        name, texts | changed(texts) | changed(st.just(json.dumps(content).encode())) | odd
    )


def read_json(path: Path) -> None:
    if path.name == "results.json":
        truth = read_ground_truth(put(TRUTH, (), TRUTH))
        evaluate(truth, read_results(path, truth), num_threads=1)
        return
    found = read_ground_truth(path)
    for video in found.videos.values():
        decode_masks(video, video.sequences)
    read_ground_truth(path, need_annotations=True, need_frames=True)


CALLS = st.one_of(
    st.tuples(st.just("encode"), MASKS | VALUES),
    st.tuples(st.just("pack"), st.lists(st.none() | MASKS, max_size=4) | VALUES),
    st.tuples(st.just("runs"), st.lists(COUNTS | TEXTS | st.just(square(7)["counts"]), min_size=1)),
)


def read_masks(path: Path) -> None:
    kind, value = json.loads(path.read_text())
    if kind == "pack":
        pack_masks(value)
        return
    with input_errors("masks"):  # as files of masks are read
        if kind == "encode":
            value = [encode_segmentation(value, HEIGHT, WIDTH)["counts"]]
        found = decode_intervals([value], len(value), PIXELS)
    assert ((found.areas >= 0) & (found.areas <= PIXELS)).all()


# Functions that would leave a trace, and names that a checkpoint may hold.
NAMES = [
    "os system", "posix system", "builtins eval", "builtins exec", "builtins getattr", "torch Size",
    "builtins open", "subprocess Popen", "pathlib Path", "operator attrgetter", "runpy run_path",
    "torch load", "torch.hub load", "torch._utils _rebuild_tensor_v2", "torch FloatStorage",
    "torch._utils _rebuild_parameter", "torch._utils _rebuild_sparse_tensor", "torch Tensor",
    "torch._utils _rebuild_meta_tensor_no_storage", "torch._tensor _rebuild_from_type_v2",
    "collections OrderedDict", "collections Counter", "builtins bytearray", "_codecs encode",
    "numpy ndarray", "numpy dtype", "numpy.core.multiarray _reconstruct", "builtins set",
    "numpy.core.multiarray scalar", "numpy._core.numeric _frombuffer", "argparse Namespace",
    "mmengine.logging.history_buffer HistoryBuffer", "torch.storage TypedStorage",
]  # fmt: skip
WORDS = [f"touch {MARKER}", f"open({MARKER!r}, 'w')", MARKER, "w", "__class__", "__globals__", "O8"]
MODEL = torch.nn.Linear(2, 3)
CONTENT: dict[str, Any] = {
    "meta": {"epoch": 1, "iter": 5, "seed": 0, "cfg": "model = dict(type='mmttsrn.TTSRN')\n",
             "dataset_meta": {"classes": ("a", "b")}},
    "state_dict": {**MODEL.state_dict(), "x": torch.ones(2, dtype=torch.bfloat16)},
    "optimizer": torch.optim.AdamW(MODEL.parameters()).state_dict(),
    "message_hub": {"log_scalars": {}, "runtime_info": {}, "resumed_keys": {}},
}  # fmt: skip
TENSORS = [torch.zeros(2, 0), torch.tensor(NAN), torch.zeros(2).to_sparse(), np.zeros(3), (), {1},
           torch.zeros(3, dtype=torch.complex64), torch.zeros(1).expand(1000)]  # fmt: skip


def saved(content: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def streams(good: bytes) -> SearchStrategy[bytes]:
    """Pickles with some opcodes removed or inserted, random ones, and calls that mean harm."""
    at = [0, *(place for _, _, place in pickletools.genops(good)), len(good)]
    pieces = [good[a:b] for a, b in pairwise(at)]
    text = (st.sampled_from(WORDS) | TEXTS).map(lambda word: word.encode("utf-8", "replace")).map(
        lambda word: b"X" + struct.pack("<I", len(word)) + word
    )  # fmt: skip
    name = st.sampled_from(NAMES).map(lambda name: b"c" + name.replace(" ", "\n").encode() + b"\n")
    number = st.integers(-(2**31), 2**31 - 1).map(lambda n: b"J" + struct.pack("<i", n))
    bare = st.sampled_from([op.code for op in pickletools.opcodes if op.arg is None])
    opcode = name | text | number | bare.map(lambda code: code.encode("latin-1"))
    opcodes = st.lists(opcode | st.sampled_from(pieces), max_size=6).map(b"".join)
    splice = st.builds(
        lambda at, removed, added: b"".join([*pieces[:at], added, *pieces[at + removed :]]),
        st.integers(0, len(pieces)), st.integers(0, 3), opcodes,
    )  # fmt: skip
    call = st.builds(
        lambda name, arguments, call: b"\x80\x02" + name + b"(" + arguments + b"t" + call + b".",
        name, opcodes, st.sampled_from([b"R", b"\x81", b"b", b"Rb", b"R}b", b"o"]),
    )  # fmt: skip
    return splice | call | call | opcodes.map(lambda found: b"\x80\x02" + found + b".")


def archives() -> SearchStrategy[bytes]:
    """Zip files of PyTorch with other records, their checksums right."""
    with zipfile.ZipFile(io.BytesIO(saved(CONTENT))) as file:
        records = {name: file.read(name) for name in file.namelist()}
    main = next(name for name in records if name.endswith("data.pkl"))

    def write(name: str, content: bytes | None) -> bytes:
        result = io.BytesIO()
        with zipfile.ZipFile(result, "w") as file:
            for key, value in ({**records, name: content}).items():
                if value is not None:
                    file.writestr(key, value)
        return result.getvalue()

    other = st.builds(write, st.sampled_from(list(records)), st.none() | st.binary(max_size=20))
    return st.builds(write, st.just(main), streams(records[main])) | other


def contents() -> SearchStrategy[bytes]:
    """Files with another value at some place."""
    inner = [(key, name) for key in ("meta", "state_dict", "message_hub") for name in CONTENT[key]]
    place = st.sampled_from([*((key,) for key in CONTENT), *inner, ("new",)])
    return st.builds(put, st.just(CONTENT), place, VALUES | st.sampled_from(TENSORS)).map(saved)


def safetensors() -> SearchStrategy[bytes]:
    """Files with another header, whose length is right."""
    good = save(MODEL.state_dict(), metadata={"meta": json.dumps({"dataset_meta": {}})})
    (length,) = struct.unpack("<Q", good[:8])
    header, data = json.loads(good[8 : 8 + length]), good[8 + length :]
    entry = st.fixed_dictionaries({
        "dtype": st.sampled_from(["F32", "F16", "I64", "BOOL", "F4", "x"]),
        "shape": st.lists(st.integers(0, 9) | NUMBERS, max_size=4),
        "data_offsets": st.lists(st.integers(0, 64) | NUMBERS, max_size=3)})  # fmt: skip
    meta = VALUES.map(lambda value: {"meta": json.dumps(value)})
    changes = st.dictionaries(st.sampled_from([*header, "new"]), entry | meta | VALUES, min_size=1)

    def write(changes: dict[str, Any]) -> bytes:
        text = json.dumps({**header, **changes}).encode()
        return struct.pack("<Q", len(text)) + text + data

    return changes.map(write) | changed(st.just(good))


def checkpoints() -> SearchStrategy[Input]:
    register_all_modules()  # once, not in the process that reads
    old = saved(CONTENT, _use_new_zipfile_serialization=False)
    arrays = pickle.dumps({"model": {"x": np.ones((2, 3))}, "y": np.float64(1)})
    torch_files = archives() | archives() | contents() | changed(st.just(saved(CONTENT)))
    return st.one_of(
        named("a.pth", torch_files | changed(st.just(old)) | st.just(old)),
        named("a.safetensors", safetensors()),
        named("a.pkl", st.just(arrays) | streams(arrays) | changed(st.just(arrays))),
    )


def read_checkpoint(path: Path) -> None:
    content = load_checkpoint_file(path)
    named_tensors(content, "a")
    checkpoint = as_checkpoint(content, "a")
    for step in (check_training_state, stored_config):
        step(checkpoint, "a")


READERS: dict[str, tuple[Callable[[], SearchStrategy[Input]], Callable[[Path], None]]] = {
    "ground truth": (lambda: json_files("truth.json", TRUTH), read_json),
    "results": (lambda: json_files("results.json", RESULTS), read_json),
    "masks": (lambda: CALLS.map(lambda call: ("a.json", json.dumps(call).encode())), read_masks),
    "checkpoints": (checkpoints, read_checkpoint),
}


@pytest.mark.parametrize("examples", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("inputs", "read"), READERS.values(), ids=READERS)
def test_readers(tmp_path: Path, inputs: Callable, read: Callable, examples: int) -> None:
    problem, accepted, refused = fuzz(inputs(), read, tmp_path, examples)
    assert not problem, [(path.name, path.read_bytes()) for path in tmp_path.glob("*.*")]
    assert accepted > examples // 100
    assert refused > examples // 4


def crash() -> None:
    faulthandler.disable()  # which prints the stack of the tests
    ctypes.string_at(0)


def endless() -> None:
    while True:
        pass


def take_memory() -> None:
    with mmap.mmap(-1, 2**27) as area:
        for _ in range(2**7):
            area.write(b"x" * 2**20)


def raise_key_error() -> None:
    raise KeyError("x")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (crash, "is killed by SIGSEGV"),
        (os.abort, "is killed by SIGABRT"),
        (lambda: os._exit(3), "ends the process with status 3"),
        (endless, "runs longer than 1 s"),
        (lambda: time.sleep(99), "runs longer than 1 s"),
        (raise_key_error, "KeyError"),
        (lambda: sys.exit(2), "SystemExit"),
        (lambda: np.float64(1e308) * np.float64(10), "RuntimeWarning"),
        (take_memory, "AssertionError: takes more than"),
        (lambda: os.system("true"), 'code of the input runs: ["os.system'),
        (lambda: Path(MARKER).touch(), "code of the input runs"),
    ],
)
def test_a_planted_fault_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable, expected: str
) -> None:
    monkeypatch.setattr(watching, "LIMIT_SECONDS", 1)
    monkeypatch.setattr(watching, "LIMIT_BYTES", 2**26)

    def read(path: Path) -> None:
        if path.read_bytes() == b"planted":
            fault()

    contents = st.sampled_from([b"good", b"other", b"planted"])
    problem, _, _ = fuzz(named("a.bin", contents), read, tmp_path, 100)
    assert expected in problem
    assert (tmp_path / "a.bin").read_bytes() == b"planted"
