"""Downloads: cached, checked, whole or not there."""

import functools
import hashlib
import http.server
import subprocess
import sys
import threading
from importlib.util import find_spec

import pytest

from mmttsrn.checkpoints.fetching import cached_path, check_published_name, fetch, is_remote
from mmttsrn.errors import UserInputError
from mmttsrn.formats.user_cache import cache_folder

CONTENT = b"weights" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, what is below ``resolve`` as the hub does; a ``short`` file breaks off."""

    requests: list[str] = []

    def end_headers(self):
        if "/resolve/" in self.path:
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("ETag", '"1234"')
        super().end_headers()

    def do_GET(self):
        self.requests.append(self.path)
        if "short" not in self.path:
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Length", "9999")
        self.end_headers()
        self.wfile.write(b"half")

    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """URL of a server of ``tmp_path/served`` with one file ``x.pth``."""
    served = tmp_path / "served"
    served.mkdir()
    (served / "x.pth").write_bytes(CONTENT)
    monkeypatch.setenv("MMTTSRN_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Handler, "requests", [])
    handler = functools.partial(Handler, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


def cached_files():
    return [path for path in cache_folder().rglob("*") if path.is_file()]


def test_downloaded_once(server):
    first = fetch(f"{server}/x.pth", SHA256)
    assert first.read_bytes() == CONTENT
    assert first.is_relative_to(cache_folder())
    assert fetch(f"{server}/x.pth", SHA256) == first
    assert Handler.requests == ["/x.pth"]


def test_wrong_download_leaves_nothing(server):
    with pytest.raises(UserInputError) as error:
        fetch(f"{server}/x.pth", "0" * 64)
    message = str(error.value)
    assert f"{server}/x.pth: hash mismatch: SHA-256 is {SHA256} instead of 000" in message
    assert not cached_files()


def test_damage_in_the_cache_is_found(server):
    path = fetch(f"{server}/x.pth", SHA256)
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserInputError, match="hash mismatch") as error:
        fetch(f"{server}/x.pth", SHA256)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_download_that_breaks_off_leaves_nothing(server, sha256):
    with pytest.raises(UserInputError, match=r"4 bytes read, 9995 more expected"):
        fetch(f"{server}/short.pth", sha256)
    assert not cached_files()


def test_missing_url_says_where_to_put_the_file(server):
    with pytest.raises(UserInputError) as error:
        fetch(f"{server}/missing.pth")
    assert "cannot be downloaded; " in str(error.value)
    assert "HTTPError: 404 Client Error: File not found" in str(error.value)
    assert str(cached_path(f"{server}/missing.pth")) in str(error.value)


def test_file_that_was_put_into_the_cache_needs_no_network(server):
    path = cached_path("https://nowhere.invalid/y.pth")
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    assert fetch("https://nowhere.invalid/y.pth", SHA256) == path


def test_download_can_be_read_by_others(server, tmp_path):
    (tmp_path / "mine").write_bytes(b"")
    mode = (tmp_path / "mine").stat().st_mode
    assert fetch(f"{server}/x.pth").stat().st_mode == mode


@pytest.mark.parametrize("digits", [8, 64])
def test_first_digits_of_the_hash_are_enough(server, digits):
    wrong = SHA256[: digits - 1] + ("0" if SHA256[digits - 1] != "0" else "1")
    with pytest.raises(UserInputError, match=f"is {SHA256[:digits]} instead of {wrong}"):
        fetch(f"{server}/x.pth", wrong)
    assert fetch(f"{server}/x.pth", SHA256[:digits].upper()).read_bytes() == CONTENT


def test_url_of_a_file(server, tmp_path):
    (tmp_path / "a b.pth").write_bytes(CONTENT)
    assert fetch((tmp_path / "a b.pth").as_uri(), SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize("source", ["hf://x.pth", "hf://me/ttsrn", "hf://me/ttsrn@v1"])
def test_malformed_hub_ids(server, source):
    assert is_remote(source)
    with pytest.raises(UserInputError, match="expected hf://owner"):
        fetch(source)
    assert not cached_files()


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("hf://me/ttsrn/x.pth", "me/ttsrn/resolve/main"),
        ("hf://me/ttsrn@v1/a/x.pth", "me/ttsrn/resolve/v1/a"),
    ],
)
def test_hub_id_is_fetched_once_from_its_endpoint(server, monkeypatch, tmp_path, source, place):
    monkeypatch.setenv("HF_ENDPOINT", server)
    target = tmp_path / "served" / place
    target.mkdir(parents=True)
    (target / "x.pth").write_bytes(CONTENT)
    path = fetch(source, SHA256)
    assert path.read_bytes() == CONTENT
    assert cached_files() == [path]
    count = len(Handler.requests)
    assert fetch(source, SHA256) == path
    assert len(Handler.requests) == count
    assert [p.name for p in cache_folder().rglob("*")] == [path.parent.name, "x.pth"]


def test_wrong_or_missing_file_of_the_hub_leaves_nothing(server, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", server)
    target = tmp_path / "served" / "me" / "ttsrn" / "resolve" / "main"
    target.mkdir(parents=True)
    (target / "x.pth").write_bytes(CONTENT)
    with pytest.raises(UserInputError, match=r"hf://me/ttsrn/x\.pth: hash mismatch"):
        fetch("hf://me/ttsrn/x.pth", "0" * 8)
    with pytest.raises(
        UserInputError, match=r"hf://me/ttsrn/y\.pth: cannot be downloaded"
    ) as error:
        fetch("hf://me/ttsrn/y.pth")
    assert str(cached_path("hf://me/ttsrn/y.pth")) in str(error.value)
    assert "\n" not in str(error.value)
    assert not cached_files()


@pytest.mark.skipif(find_spec("transformers") is not None, reason="MMEngine imports it")
def test_libraries_of_the_hub_are_not_imported_without_it():
    code = "import sys, mmttsrn.checkpoints.fetching; print('huggingface_hub' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "False", result.stderr


def test_local_path_stays_where_it_is(tmp_path):
    path = tmp_path / "x.pth"
    path.write_bytes(CONTENT)
    assert fetch(str(path), SHA256) == path
    with pytest.raises(UserInputError, match="hash mismatch"):
        fetch(str(path), "1" * 64)
    with pytest.raises(UserInputError, match="there is no such checkpoint file"):
        fetch(str(tmp_path / "missing.pth"))


def test_name_of_a_published_file_is_checked(tmp_path):
    right = tmp_path / f"model_20260101-{SHA256[:8]}.pth"
    wrong = tmp_path / "model_20260101-00000000.pth"
    other = tmp_path / "epoch_12.pth"
    for path in (right, wrong, other):
        path.write_bytes(CONTENT)
    check_published_name(right)
    check_published_name(other)
    with pytest.raises(UserInputError, match="hash mismatch"):
        check_published_name(wrong)
