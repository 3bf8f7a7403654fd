"""Getting a checkpoint from where it is published, once, and checking that it has arrived whole."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import urllib.request
import uuid
from pathlib import Path
from typing import IO

from mmttsrn.errors import UserInputError
from mmttsrn.version import __version__

CACHE_VARIABLE = "MMTTSRN_CACHE"
HUB_PREFIX = "hf://"
# hf://owner/repository[@revision]/path/of/the/file
HUB_SOURCE = re.compile(r"hf://([^/@]+/[^/@]+)(?:@([^/]+))?/(.+)")
# How published files are named: the first digits of the file's SHA-256 come last.
PUBLISHED_NAME = re.compile(r".+_\d{8}-([0-9a-f]{8})\.\w+")
TIMEOUT = 60.0  # seconds without an answer
CHUNK = 2**20  # bytes


def fetch(source: str, sha256: str | None = None) -> Path:
    """Path of a checkpoint on this machine; one that lies elsewhere is downloaded into the cache.

    Args:
        source: Path, URL, or ``hf://owner/repository[@revision]/file`` on the Hugging Face hub.
        sha256: What the SHA-256 of the file has to be; None leaves that unchecked.

    Returns:
        The path given, or that of the copy in :func:`cache_folder`.

    Raises:
        UserInputError: The file is missing, cannot be downloaded, or is another one than stated.
    """
    url = download_url(source)
    if url is None:
        path = Path(source).expanduser()
        if not path.is_file():
            raise UserInputError(f"{source}: there is no such checkpoint file")
    else:
        path = cached_path(url)
        if not path.is_file():
            _download(url, path, sha256)
            return path
    if sha256 is not None:
        check_sha256(path, sha256, _source_of(path, url))
    return path


def download_url(source: str) -> str | None:
    """URL of a source; None if it is a path."""
    if source.startswith(HUB_PREFIX):
        match = HUB_SOURCE.fullmatch(source)
        if match is None:
            raise UserInputError(
                f"{source}: expected hf://owner/repository/file or "
                "hf://owner/repository@revision/file"
            )
        repository, revision, file = match.groups()
        host = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
        return f"{host}/{repository}/resolve/{revision or 'main'}/{file}"
    return source if "://" in source else None


def cache_folder() -> Path:
    """Folder of downloads: ``MMTTSRN_CACHE``, or ``mmttsrn`` in the user's cache folder."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mmttsrn"


def cached_path(url: str) -> Path:
    """Where the copy of a URL lies; files of one name from two places do not meet."""
    name = url.rpartition("/")[2].partition("?")[0] or "checkpoint"
    return cache_folder() / hashlib.sha256(url.encode()).hexdigest()[:12] / name


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def check_sha256(path: Path, expected: str, source: str | None = None) -> None:
    """Refuse a file whose SHA-256 does not begin with what is expected.

    Args:
        path: The file.
        expected: The digits, or the first ones.
        source: What the message calls the file; by default its path.

    Raises:
        UserInputError: The digits differ.
    """
    found = sha256_of(path)
    if not found.startswith(expected.lower()):
        shown = found[: max(len(expected), 8)]
        raise UserInputError(
            f"{source or path}: hash mismatch: SHA-256 is {shown} instead of {expected}; the file "
            "is damaged or not the published one: delete it and get it again"
        )


def check_published_name(path: Path) -> None:
    """Check a file named as published ones are, ``NAME_YYYYMMDD-<8 digits>``, against its name."""
    match = PUBLISHED_NAME.fullmatch(path.name)
    if match is not None:
        check_sha256(path, match.group(1))


def _source_of(path: Path, url: str | None) -> str:
    return str(path) if url is None else f"{path} (from {url})"


def _download(url: str, target: Path, sha256: str | None) -> None:
    """Download beside the target and move it there when it is whole and the right one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.part")
    request = urllib.request.Request(url, headers={"User-Agent": f"mmttsrn/{__version__}"})
    print(f"downloading {url} to {target}", flush=True)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response, part.open("wb") as file:
            shutil.copyfileobj(response, file, CHUNK)
            _check_length(url, file, response.headers.get("Content-Length"))
        if sha256 is not None:
            check_sha256(part, sha256, url)
        part.replace(target)
    except OSError as error:  # URLError, HTTPError and time-outs are among them
        reason = getattr(error, "reason", None) or error.strerror or error
        raise UserInputError(
            f"{url}: cannot be downloaded ({reason}); where there is no network, get the file by "
            f"other means and put it at {target}"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _check_length(url: str, file: IO[bytes], announced: str | None) -> None:
    if announced is not None and file.tell() != int(announced):
        raise UserInputError(
            f"{url}: the download broke off after {file.tell()} of {announced} bytes; try again"
        )
