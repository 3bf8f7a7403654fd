"""Downloads: cached, checked, whole or not there."""

import functools
import hashlib
import http.server
import threading

import pytest

from mmttsrn.checkpoints.fetching import (
    cache_folder,
    cached_path,
    check_published_name,
    download_url,
    fetch,
    sha256_of,
)
from mmttsrn.errors import UserInputError

CONTENT = b"weights" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; a file whose name has ``short`` breaks off."""

    requests: list[str] = []

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
    with pytest.raises(UserInputError, match="broke off after 4 of 9999 bytes"):
        fetch(f"{server}/short.pth", sha256)
    assert not cached_files()


def test_missing_url_says_where_to_put_the_file(server):
    with pytest.raises(UserInputError) as error:
        fetch(f"{server}/missing.pth")
    assert "cannot be downloaded (File not found)" in str(error.value)
    assert str(cached_path(f"{server}/missing.pth")) in str(error.value)


def test_file_that_was_put_into_the_cache_needs_no_network(server):
    path = cached_path("https://nowhere.invalid/y.pth")
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    assert fetch("https://nowhere.invalid/y.pth", SHA256) == path


def test_hub_ids(monkeypatch):
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    base = "https://huggingface.co/me/ttsrn/resolve"
    assert download_url("hf://me/ttsrn/a/x.pth") == f"{base}/main/a/x.pth"
    assert download_url("hf://me/ttsrn@v1/x.pth") == f"{base}/v1/x.pth"
    assert download_url("folder/x.pth") is None
    with pytest.raises(UserInputError, match="expected hf://owner"):
        download_url("hf://x.pth")


def test_hub_id_is_fetched_from_its_endpoint(server, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", server)
    target = tmp_path / "served" / "me" / "ttsrn" / "resolve" / "main"
    target.mkdir(parents=True)
    (target / "x.pth").write_bytes(CONTENT)
    assert fetch("hf://me/ttsrn/x.pth", SHA256).read_bytes() == CONTENT


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
    assert sha256_of(right) == SHA256


def test_default_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("MMTTSRN_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "mmttsrn"
