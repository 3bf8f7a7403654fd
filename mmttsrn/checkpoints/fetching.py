"""Get a checkpoint from where it is published, once, and check that it has arrived whole."""

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pooch

from mmttsrn.errors import UserInputError
from mmttsrn.version import __version__

# hf://owner/repository[@revision]/path/of/the/file
HUB_SOURCE = re.compile(r"hf://([^/@]+/[^/@]+)(?:@([^/]+))?/(.+)")
# How published files are named: the first digits of the file's SHA-256 come last.
PUBLISHED_NAME = re.compile(r".+_\d{8}-([0-9a-f]{8})\.\w+")
TIMEOUT = 60.0  # seconds without an answer
CHUNK = 2**20  # bytes


def fetch(source: str, sha256: str | None = None) -> Path:
    """Return the path of a checkpoint on this machine; download it into the cache if need be.

    Args:
        source: Path, URL, or ``hf://owner/repository[@revision]/file`` on the Hugging Face hub.
        sha256: The SHA-256 of the file, or its first digits; None leaves it unchecked.

    Returns:
        The path given, or that of the copy in :func:`cache_folder`.

    Raises:
        UserInputError: The file is missing, cannot be downloaded, or is another one than stated.
    """
    remote = is_remote(source)
    path = cached_path(source) if remote else Path(source).expanduser()
    if not path.is_file():
        if not remote:
            raise UserInputError(f"{source}: there is no such checkpoint file")
        _download(source, path, sha256)
    elif sha256 is not None:
        check_sha256(path, sha256, f"{path} (from {source})" if remote else str(path))
    return path


def is_remote(source: str) -> bool:
    """Return whether a source is a URL or on the hub, and not a path."""
    return "://" in source


def cache_folder() -> Path:
    """Return the folder of downloads: ``MMTTSRN_CACHE``, or ``mmttsrn`` in the user's cache."""
    users = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("MMTTSRN_CACHE") or f"{users}/mmttsrn").expanduser()


def cached_path(source: str) -> Path:
    """Return where the copy of a source lies; files of one name from two places do not meet."""
    name = source.rpartition("/")[2].partition("?")[0] or "checkpoint"
    return cache_folder() / hashlib.sha256(source.encode()).hexdigest()[:12] / name


def check_sha256(path: Path, expected: str, source: str) -> None:
    """Refuse a file, called ``source``, whose SHA-256 does not begin with the digits expected.

    Raises:
        UserInputError: The digits differ.
    """
    found = pooch.file_hash(str(path))
    if not found.startswith(expected.lower()):
        shown = found[: max(len(expected), 8)]
        raise UserInputError(
            f"{source}: hash mismatch: SHA-256 is {shown} instead of {expected}; the file "
            "is damaged or not the published one: delete it and get it again"
        )


def check_published_name(path: Path) -> None:
    """Check a file named as published ones are, ``NAME_YYYYMMDD-<8 digits>``, against its name."""
    match = PUBLISHED_NAME.fullmatch(path.name)
    if match is not None:
        check_sha256(path, match.group(1), str(path))


def _download(source: str, target: Path, sha256: str | None) -> None:
    """Download beside the target and move it there when it is whole and the right one."""
    transport = TRANSPORTS.get(urlsplit(source).scheme)
    if transport is None:
        raise UserInputError(
            f"{source}: only paths, http(s):// and hf:// are read here; get the file and give its "
            "path"
        )

    def download(url: str, output_file: str, _: object) -> None:
        os.unlink(output_file)  # made for its owner alone; a cache may serve many
        transport(url, Path(output_file))
        if sha256 is not None:
            check_sha256(Path(output_file), sha256, url)

    print(f"downloading {source} to {target}", flush=True)
    pooch.get_logger().setLevel("WARNING")  # it says the same
    try:
        pooch.retrieve(source, None, target.name, target.parent, downloader=download)
    except UserInputError:
        raise
    # Network, hub and file system have errors of their own.
    except Exception as error:
        reason = " ".join(str(error).partition(" for url: ")[0].split())
        raise UserInputError(
            f"{source}: cannot be downloaded ({reason}); where there is no network, get the file "
            f"by other means and put it at {target}"
        ) from error


def _from_web(url: str, target: Path) -> None:
    headers = {"User-Agent": f"mmttsrn/{__version__}"}
    progress = sys.stderr.isatty()
    pooch.HTTPDownloader(progress, CHUNK, timeout=TIMEOUT, headers=headers)(url, target, None)


def _from_hub(source: str, target: Path) -> None:
    match = HUB_SOURCE.fullmatch(source)
    if match is None:
        raise UserInputError(
            f"{source}: expected hf://owner/repository/file or hf://owner/repository@revision/file"
        )
    from huggingface_hub import hf_hub_download  # here: it takes long to import

    repository, revision, file = match.groups()
    endpoint = os.environ.get("HF_ENDPOINT")
    with TemporaryDirectory(prefix=".hub-", dir=target.parent) as folder:
        copy = hf_hub_download(
            repository, file, revision=revision, local_dir=folder, endpoint=endpoint
        )
        os.replace(copy, target)


def _from_file(url: str, target: Path) -> None:
    shutil.copyfile(url2pathname(urlsplit(url).path), target)


# What gets a file from a source of each kind.
TRANSPORTS: dict[str, Callable[[str, Path], None]] = {
    "http": _from_web,
    "https": _from_web,
    "hf": _from_hub,
    "file": _from_file,
}
