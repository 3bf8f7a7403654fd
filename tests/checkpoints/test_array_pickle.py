"""Plain pickles of NumPy arrays, as Detectron2 publishes them."""

import argparse
import contextlib
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign_paths import MODULES, PATHS, foreign_path
from planted import plant_plain_pickle

from mmttsrn.checkpoints import load_checkpoint_file
from mmttsrn.errors import UserInputError

ARRAYS = {
    "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
    "by_columns": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
    "big_endian": np.arange(3, dtype=">f4").astype("<f4"),
    "counter": np.array(7, dtype=np.int64),
    "scalar": np.float64(0.5),
    "half": np.ones(2, dtype=np.float16),
}


@pytest.mark.parametrize("protocol", range(2, 6))
def test_arrays_become_tensors(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps({"model": ARRAYS, "__author__": "x"}, protocol))
    content = load_checkpoint_file(path)
    assert content["__author__"] == "x"
    assert content["model"].keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        tensor = content["model"][name]
        assert isinstance(tensor, torch.Tensor)
        np.testing.assert_array_equal(tensor.numpy(), array)
        assert tensor.numpy().dtype == array.dtype


@pytest.mark.parametrize("allow_unsafe", [False, True])
@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("module", MODULES)
def test_options_with_paths(
    tmp_path: Path, module: str, name: str, protocol: int, allow_unsafe: bool
) -> None:
    with foreign_path(module, name) as path:
        content = {"model": ARRAYS, "args": argparse.Namespace(out={"dir": path})}
        (tmp_path / "x.pkl").write_bytes(pickle.dumps(content, protocol))
    read = load_checkpoint_file(tmp_path / "x.pkl", allow_unsafe=allow_unsafe)
    assert str(read["args"].out["dir"]) == PATHS[name][1]
    assert read["model"].keys() == ARRAYS.keys()


def test_names_of_the_older_numpy(tmp_path: Path) -> None:
    data = pickle.dumps({"x": np.ones(2)}, 2).replace(b"numpy._core", b"numpy.core")
    assert b"numpy.core.multiarray" in data
    (tmp_path / "x.pkl").write_bytes(data)
    assert load_checkpoint_file(tmp_path / "x.pkl")["x"].tolist() == [1, 1]


def test_file_of_torch_with_this_suffix(tmp_path: Path) -> None:
    torch.save({"x": torch.ones(2)}, tmp_path / "x.pkl")
    assert torch.equal(load_checkpoint_file(tmp_path / "x.pkl")["x"], torch.ones(2))


def test_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    path = plant_plain_pickle(tmp_path / "x.pkl", marker)
    with pytest.raises(UserInputError, match="refused: it asks for"):
        load_checkpoint_file(path)
    assert not marker.exists()
    load_checkpoint_file(path, allow_unsafe=True)
    assert marker.exists()


@pytest.mark.parametrize(
    ("pickled", "wanted"),
    [
        (b"cos\nsystem\n(X\x04\x00\x00\x00truetR.", "os.system"),
        (b"cbuiltins\ngetattr\n.", "builtins.getattr"),
        (b"cnumpy\nload\n.", "numpy.load"),
        (b"cnumpy\nndarray.tofile\n.", "numpy.ndarray.tofile"),
        (b"\x80\x04\x8c\x05numpy\x8c\x0dndarray.dumps\x93.", "numpy.ndarray.dumps"),
    ],
)
def test_everything_else_is_refused(tmp_path: Path, pickled: bytes, wanted: str) -> None:
    (tmp_path / "x.pkl").write_bytes(pickled)
    with pytest.raises(UserInputError, match="refused: it asks for") as error:
        load_checkpoint_file(tmp_path / "x.pkl")
    assert wanted in str(error.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"junk",
        pickle.dumps({"x": np.ones(100)})[:-50],
        pickle.dumps({"x": np.array([os.curdir], dtype=object)}),
        pickle.dumps({"x": np.array(["text"])}),
    ],
)
def test_file_without_arrays_of_numbers(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.pkl").write_bytes(data)
    with pytest.raises(UserInputError, match=r"not a checkpoint that|asks for dtype") as error:
        load_checkpoint_file(tmp_path / "x.pkl")
    assert "\n" not in str(error.value)


# NumPy takes its word for it that the type holds no objects, and its bytes are pointers.
FORGED = (3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 0)


class _Forged:
    """Pickled as a type with a state of its own."""

    def __init__(self, code: str, state: tuple) -> None:
        self.call = np.dtype, (code, False, True), state

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize("name", ["x.pkl", "x.pth"])
@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("V8", FORGED),
        ("f8", FORGED),
        ("f8", (3, "|", (np.dtype("O"), (1,)), None, None, 8, 1, 0)),
        ("O", (3, "|", None, None, None, -1, -1, 63)),
    ],
)
def test_types_of_arrays_that_lie_are_refused(
    tmp_path: Path, name: str, code: str, state: tuple
) -> None:
    content = {"x": _Forged(code, state)}
    with (tmp_path / name).open("wb") as file:
        torch.save(content, file) if name == "x.pth" else pickle.dump(content, file)
    with pytest.raises(UserInputError, match="refused: it asks for dtype"):
        load_checkpoint_file(tmp_path / name)


RECONSTRUCT = b"cnumpy._core.multiarray\n_reconstruct\n"


@pytest.mark.parametrize(
    "pickled",
    [
        RECONSTRUCT + b"N}X\x0c\x00\x00\x00__defaults__)s\x86b.",  # of a function of ours
        b"cnumpy\nndarray\nN}X\x01\x00\x00\x00xK\x01s\x86b.",
        b"cnumpy\nndarray\n(J\xff\xff\xff\x7ftR.",  # as many numbers as one likes
        b"cnumpy\nndarray\n)\x81.",
        RECONSTRUCT + b"(cnumpy\nndarray\n(K\x00tC\x01bt" + b"R(K\x01(K\x01tK\x05K\x00C\x01xtb.",
    ],
)
def test_what_rebuilds_arrays_does_nothing_else(tmp_path: Path, pickled: bytes) -> None:
    (tmp_path / "x.pkl").write_bytes(b"\x80\x05" + pickled)
    with pytest.raises(UserInputError, match="refused: it asks for"):
        load_checkpoint_file(tmp_path / "x.pkl")


def _peak() -> int:
    text = Path("/proc/self/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) * 1024


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures memory on Linux")
@pytest.mark.parametrize(
    "pickled",
    [
        b"\x80\x02Kxr\xff\xff\xff\x0f.",  # the 2**28th object that is kept
        b"\x80\x05\x96\x00\x00\x00\x40\x00\x00\x00\x00x.",  # a bytearray of 1 GB
    ],
)
def test_a_small_file_takes_little_memory(tmp_path: Path, pickled: bytes) -> None:
    (tmp_path / "x.pkl").write_bytes(pickled)
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
    before = _peak()
    with contextlib.suppress(UserInputError):
        load_checkpoint_file(tmp_path / "x.pkl")
    assert _peak() - before < 2**27
