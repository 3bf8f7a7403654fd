"""Random checkpoint files."""

import io
import json
import pickle
import pickletools
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from mmengine.logging import MessageHub
from mmengine.optim import LinearLR
from safetensors.torch import save

from fuzzing.harness import MARKER, Reader
from fuzzing.inputs import NUMBERS, TEXTS, VALUES, Input, changed
from fuzzing.json_reader import check_line
from mmttsrn.checkpoints import load_checkpoint_file
from mmttsrn.checkpoints.run_checkpoints import check_training_state
from mmttsrn.checkpoints.state import as_checkpoint, named_tensors
from mmttsrn.checkpoints.state_difference import compare_state, trained_with
from mmttsrn.checkpoints.stored_config import stored_config
from mmttsrn.errors import UserInputError
from mmttsrn.setup_env import register_all_modules

# Functions that would leave a trace, and harmless names that a checkpoint may hold.
NAMES = [
    "os system", "posix system", "builtins eval", "builtins exec", "builtins getattr",
    "builtins open", "subprocess Popen", "pathlib Path", "operator attrgetter", "runpy run_path",
    "torch load", "torch.hub load", "torch._utils _rebuild_tensor_v2", "torch FloatStorage",
    "torch._utils _rebuild_parameter", "torch._utils _rebuild_sparse_tensor",
    "torch._utils _rebuild_qtensor", "torch._utils _rebuild_meta_tensor_no_storage",
    "torch._utils _rebuild_wrapper_subclass", "torch._tensor _rebuild_from_type_v2",
    "torch.nn.parameter Parameter", "torch Size", "torch device", "torch float32", "torch Tensor",
    "torch.serialization _get_layout", "torch UntypedStorage", "torch.storage TypedStorage",
    "collections OrderedDict", "collections Counter", "builtins set", "builtins bytearray",
    "_codecs encode", "numpy ndarray", "numpy dtype", "numpy.core.multiarray _reconstruct",
    "numpy.core.multiarray scalar", "numpy._core.multiarray _reconstruct",
    "numpy._core.numeric _frombuffer", "numpy.dtypes Float64DType", "builtins slice",
    "argparse Namespace", "mmengine.logging.history_buffer HistoryBuffer",
    "mmengine.optim.scheduler.lr_scheduler LinearLR",
]  # fmt: skip
WORDS = [f"touch {MARKER}", f"open({MARKER!r}, 'w')", MARKER, "w", "__class__", "__globals__",
         "__reduce__", "O8", "f8", "|O", "V8", "V100000000", "latin1", "mean"]  # fmt: skip
BARE_OPCODES = [ord(op.code) for op in pickletools.opcodes if op.arg is None]
FIXED_SIZES = {op.code: op.arg.n for op in pickletools.opcodes if op.arg and op.arg.n > 0}
TYPES = ["F32", "F64", "F16", "BF16", "I64", "I32", "U8", "BOOL", "F8_E4M3", "C64", "F4", "x", ""]


def checkpoint_reader(folder: Path) -> Reader:
    """Return the reader of checkpoints."""
    register_all_modules()  # once, not in each process that reads
    content = _good_content()
    zipped, legacy = io.BytesIO(), io.BytesIO()
    torch.save(content, zipped)
    torch.save(content, legacy, _use_new_zipfile_serialization=False)
    arrays = {name: value.float().numpy() for name, value in content["state_dict"].items()}
    pickles = [
        pickle.dumps({"model": arrays, "x": np.float64(1)}, number) for number in range(2, 6)
    ]
    inputs = st.one_of(
        _named("a.pth", st.just(zipped.getvalue())),
        _named("a.pth", _archives(zipped.getvalue())),
        _named("a.pth", _archives(zipped.getvalue())),
        _named("a.pth", _contents(content)),
        _named("a.pth", st.just(legacy.getvalue())),
        _named("a.pth", _streams(legacy.getvalue())),
        _named("a.safetensors", _safetensors(content)),
        _named("a.safetensors", st.just(_saved_safetensors(content))),
        _named("a.pkl", st.sampled_from(pickles)),
        _named("a.pkl", st.sampled_from(pickles).flatmap(_streams)),
    )
    return Reader("checkpoint", inputs, _read)


def _read(file: Path) -> bool:
    """Read a file, and what commands look at in a checkpoint, each as if it came first."""
    try:
        content = load_checkpoint_file(file)
        named_tensors(content, "x")
        checkpoint = as_checkpoint(content, "x")
    except UserInputError as error:
        check_line(error)
        return False
    for step in (check_training_state, stored_config):
        try:
            step(checkpoint, "best.pth")
        except UserInputError as error:
            check_line(error)
    trained_with(checkpoint)
    compare_state(torch.nn.Linear(2, 3), checkpoint["state_dict"])
    return True


def _good_content() -> dict[str, Any]:
    model = torch.nn.Linear(2, 3)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    scheduler = LinearLR(optimizer, 0.1)
    hub = MessageHub("fuzz")
    hub.update_scalar("val/mAP", 0.5)
    hub.update_info("best_ckpt", "best.pth")
    types = (torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool, torch.float64)
    others = {f"x.{index}": torch.ones(2, dtype=dtype) for index, dtype in enumerate(types)}
    return {
        "meta": {
            "epoch": 1,
            "iter": 5,
            "seed": 0,
            "cfg": "model = dict(type='TTSRN', head=dict(a=[1, 2.5, None]))\n",
            "experiment_name": "demo_20260101_000000",
            "dataset_meta": {"classes": ("a", "b")},
        },
        "state_dict": {**model.state_dict(), **others},
        "optimizer": optimizer.state_dict(),
        "param_schedulers": [scheduler.state_dict()],
        "message_hub": hub.state_dict(),
    }


def _named(name: str, contents: SearchStrategy[bytes]) -> SearchStrategy[Input]:
    return st.builds(Input, st.just(name), contents)


def _contents(good: dict[str, Any]) -> SearchStrategy[bytes]:
    """Files whose content is another one."""
    values = st.one_of(
        VALUES,
        st.sampled_from([torch.zeros(2, 0), torch.tensor(float("nan")), torch.zeros(2).to_sparse(),
                         torch.zeros(3, dtype=torch.complex64), torch.zeros(3, device="meta"),
                         torch.zeros(1).expand(1000), np.zeros(3), b"x", (), {1}]),
    )  # fmt: skip
    inner = [("state_dict", name) for name in good["state_dict"]]
    inner += [("meta", name) for name in good["meta"]]
    inner += [("message_hub", name) for name in good["message_hub"]]
    places = st.sampled_from([*((name,) for name in good), *inner, ("meta", 5), ("new",)])

    def write(changes: list[tuple[tuple[Any, ...], Any]]) -> bytes:
        content = {k: dict(v) if isinstance(v, dict) else v for k, v in good.items()}
        for place, value in changes:
            node: Any = content if len(place) == 1 else content[place[0]]
            if isinstance(node, dict):
                node[place[-1]] = value
        file = io.BytesIO()
        torch.save(content, file)
        return file.getvalue()

    return st.lists(st.tuples(places, values), min_size=1, max_size=3).map(write)


def _archives(good: bytes) -> SearchStrategy[bytes]:
    """Zip files with other records, their checksums right."""
    warnings.filterwarnings("ignore", "Duplicate name")
    with zipfile.ZipFile(io.BytesIO(good)) as file:
        records = {name: file.read(name) for name in file.namelist()}
    names = st.sampled_from(list(records))
    main = next(name for name in records if name.endswith("data.pkl"))
    other = st.one_of(changed(names.map(records.__getitem__)), st.binary(max_size=20))
    change = st.one_of(
        st.tuples(st.just(main), _streams(records[main])),
        st.tuples(st.just(main), changed(st.just(records[main]))),
        st.tuples(names, other),
        st.tuples(names, st.none()),
        st.tuples(st.one_of(TEXTS, st.sampled_from(["a/constants.pkl", "../../x"])), other),
    )

    def write(changes: list[tuple[str, bytes | None]], is_packed: bool, is_twice: bool) -> bytes:
        kept: dict[str, bytes | None] = {**records, **dict(changes)}
        result = io.BytesIO()
        kind = zipfile.ZIP_DEFLATED if is_packed else zipfile.ZIP_STORED
        with zipfile.ZipFile(result, "w", kind) as file:
            for name, content in kept.items():
                if content is not None:
                    plain = name.encode("utf-8", "replace").decode()
                    file.writestr(zipfile.ZipInfo(plain or "x"), content, kind)
                    if is_twice and name == main:
                        file.writestr(zipfile.ZipInfo(main + "\0x"), records[main])
        return result.getvalue()

    changes = st.lists(change, min_size=1, max_size=3)
    return st.builds(write, changes, st.sampled_from([False] * 4 + [True]), st.booleans())


def _streams(good: bytes) -> SearchStrategy[bytes]:
    """Pickles with some opcodes removed, doubled or inserted; and random ones."""
    pieces = _pieces(good)
    opcode = st.one_of(_opcodes(), st.sampled_from(pieces))
    change = st.tuples(
        st.integers(0, len(pieces)), st.integers(0, 3), st.lists(opcode, max_size=5).map(b"".join)
    )

    def splice(changes: list[tuple[int, int, bytes]]) -> bytes:
        result = list(pieces)
        for at, removed, added in changes:
            result[at : at + removed] = [added]
        return b"".join(result)

    head = good[:2] if good[:1] == b"\x80" else b"\x80\x02"
    random = st.lists(opcode, max_size=25).map(lambda found: head + b"".join(found) + b".")
    return st.one_of(st.lists(change, min_size=1, max_size=4).map(splice), random, _calls(head))


def _pieces(good: bytes) -> list[bytes]:
    """Cut the pickles of a file into opcodes; what follows them is the last piece."""
    stream, places = io.BytesIO(good), []
    try:
        while stream.tell() < len(good):
            start = stream.tell()
            found = [start + (at or 0) for _, _, at in pickletools.genops(good[start:])]
            places += found
            stream.seek(found[-1] + 1)
    except ValueError:  # no pickle any more: the storages of a legacy file
        places.append(stream.tell())
    return [good[a:b] for a, b in zip(places, [*places[1:], len(good)], strict=True)]


def _opcodes() -> SearchStrategy[bytes]:
    words = st.one_of(st.sampled_from(WORDS), TEXTS).map(lambda x: x.encode("utf-8", "replace"))
    text = words.map(lambda word: b"X" + struct.pack("<I", len(word)) + word)
    names = st.sampled_from(NAMES).map(lambda name: b"c" + name.replace(" ", "\n").encode() + b"\n")
    numbers = st.one_of(st.integers(0, 255).map(lambda n: b"K" + bytes([n])),
                        st.integers(-(2**31), 2**31 - 1).map(lambda n: b"J" + struct.pack("<i", n)),
                        NUMBERS.map(lambda n: b"G" + struct.pack(">d", float(n) if abs(n) < 1e300
                                                                 else 1e300)))  # fmt: skip
    fixed = st.sampled_from(list(FIXED_SIZES)).flatmap(
        lambda code: st.binary(min_size=FIXED_SIZES[code], max_size=FIXED_SIZES[code]).map(
            lambda argument: code.encode("latin-1") + argument
        )
    )
    bare = st.sampled_from([*b"R()}]tsuaebQ\x81\x85\x86\x87\x88N0\x94", *BARE_OPCODES])
    return st.one_of(names, names, text, numbers, fixed, bare.map(lambda code: bytes([code])))


def _calls(head: bytes) -> SearchStrategy[bytes]:
    """Pickles of a call, as one that means harm would write them."""
    argument = st.one_of(_opcodes(), st.lists(_opcodes(), max_size=3).map(
        lambda found: b"(" + b"".join(found) + b"t"))  # fmt: skip
    name = st.sampled_from(NAMES).map(lambda name: b"c" + name.replace(" ", "\n").encode() + b"\n")
    call = st.sampled_from([b"R", b"\x81", b"b", b"Rb", b"R}b", b"o", b"i"])
    return st.builds(
        lambda name, arguments, call: head + name + b"(" + b"".join(arguments) + b"t" + call + b".",
        name,
        st.lists(argument, max_size=5),
        call,
    )


def _saved_safetensors(content: dict[str, Any]) -> bytes:
    meta = json.dumps({"dataset_meta": {"classes": ["a"]}})
    return save(content["state_dict"], metadata={"meta": meta})


def _safetensors(content: dict[str, Any]) -> SearchStrategy[bytes]:
    """Files with another header, whose length is right."""
    good = _saved_safetensors(content)
    (length,) = struct.unpack("<Q", good[:8])
    header, data = json.loads(good[8 : 8 + length]), good[8 + length :]
    numbers = st.one_of(st.integers(0, 64), NUMBERS)
    entry = st.fixed_dictionaries({
        "dtype": st.sampled_from(TYPES),
        "shape": st.one_of(st.lists(st.integers(0, 9), max_size=3), st.lists(numbers, max_size=40)),
        "data_offsets": st.one_of(st.lists(st.integers(0, 64), min_size=2, max_size=2),
                                  st.lists(numbers, max_size=3))})  # fmt: skip
    names = st.one_of(st.sampled_from([*header, "__metadata__"]), TEXTS)
    meta = VALUES.map(lambda value: {"meta": json.dumps(value)})
    changes = st.dictionaries(names, st.one_of(entry, meta, VALUES), min_size=1, max_size=3)

    def write(changes: dict[str, Any], tail: bytes) -> bytes:
        text = json.dumps({**header, **changes}).encode()
        return struct.pack("<Q", len(text)) + text + data + tail

    return st.builds(write, changes, st.sampled_from([b"", b"", b"\0" * 8]))
