"""Folders of the hub: found, read without running code, and refused in one line."""

import functools
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hub_folders import PREPROCESSING, write_folder, write_model
from planted import plant_call, plant_plain_pickle

from mmttsrn.apis import init_model
from mmttsrn.checkpoints.hub_folder import is_hub_source, open_hub_folder
from mmttsrn.errors import UserInputError


class Hub(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and says what it lacks as the hub does."""

    requests: list[str] = []

    def end_headers(self) -> None:
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("ETag", '"1234"')
        super().end_headers()

    def send_error(self, code: int, *_: object) -> None:
        self.send_response(code)
        self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.requests.append(self.path)
        super().do_HEAD()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folder of revision v1 of me/model on a hub of this machine."""
    monkeypatch.setenv("MMTTSRN_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Hub, "requests", [])
    handler = functools.partial(Hub, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as hub:
        threading.Thread(target=hub.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.server_port}")
        yield tmp_path / "served" / "me" / "model" / "resolve" / "v1"
        hub.shutdown()


def test_model_of_the_hub_is_downloaded_once(served: Path) -> None:
    write_model(served)
    first = init_model("hf://me/model@v1")
    assert [Path(path).name for path in Hub.requests] == [
        "config.json",
        "video_preprocessor_config.json",
        "preprocessor_config.json",
        "model.safetensors",
        "pytorch_model.bin",
    ]
    again = init_model("hf://me/model@v1/")
    assert len(Hub.requests) == 5
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_hub_without_a_file_or_out_of_reach(served: Path, monkeypatch) -> None:
    write_folder(served, None)
    with pytest.raises(UserInputError) as error:
        init_model("hf://me/model@v1")
    assert str(error.value) == (
        "hf://me/model@v1: there is no model.safetensors and no pytorch_model.bin in it"
    )
    with pytest.raises(UserInputError, match=r"^hf://me/model: there is no config\.json in it$"):
        open_hub_folder("hf://me/model")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserInputError, match=r"^hf://me/other/config\.json: cannot be downloaded"):
        open_hub_folder("hf://me/other")


@pytest.mark.parametrize("source", ["hf://model", "hf://me/model@v1/x.pth", "hf://me/a/b"])
def test_malformed_names(source: str) -> None:
    assert is_hub_source(source)
    with pytest.raises(UserInputError, match=f"^{source}: expected hf://owner/repository"):
        open_hub_folder(source)


def test_other_sources_are_none_of_the_hub(tmp_path: Path) -> None:
    for source in ("ttsrn_ytvis19", tmp_path, "https://example.org/x.pth"):
        assert not is_hub_source(source)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "JSONDecodeError"),
        (b"[1, 2]", "expected a JSON object, got list"),
        (b"\xff\xfe{}", "UnicodeDecodeError"),
        (b"[" * 100_000, "RecursionError"),
    ],
)
@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json"])
def test_json_that_is_none(tmp_path: Path, file: str, content: bytes, says: str) -> None:
    write_folder(tmp_path, None)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(UserInputError) as error:
        open_hub_folder(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}/{file}: {says}")


def test_processor_of_something_else(tmp_path: Path) -> None:
    write_folder(tmp_path, None)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(UserInputError, match=r"there is no video_preprocessor_config\.json and no"):
        open_hub_folder(tmp_path)
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": PREPROCESSING}))
    assert open_hub_folder(tmp_path).preprocessing == PREPROCESSING


@pytest.mark.parametrize("plant", [plant_call, plant_plain_pickle])
@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_code_in_weights_is_not_run(tmp_path: Path, file: str, plant) -> None:
    folder = write_folder(tmp_path / "model", None)
    marker = tmp_path / "marker"
    plant(folder / file, marker)
    with pytest.raises(UserInputError) as error:
        init_model(folder)
    assert str(error.value).startswith(f"{folder / file}: ")
    assert "\n" not in str(error.value)
    assert not marker.exists()
    if file == "pytorch_model.bin" and plant is plant_call:
        assert "--allow-unsafe-checkpoint" in str(error.value)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, None)
    torch.save({"model.x": torch.tensor([float("nan")])}, folder / "pytorch_model.bin")
    with pytest.raises(UserInputError, match="hold NaN"):
        init_model(folder)
