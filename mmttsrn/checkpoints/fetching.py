"""Get a checkpoint from where it is published, once, and check that it has arrived whole."""

import hashlib
import os
import re
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pooch

from mmttsrn.errors import UserInputError, input_errors, printable
from mmttsrn.formats.user_cache import cache_folder

# hf://owner/repository[@revision]/path/of/the/file
HUB_SOURCE = re.compile(r"hf://([^/@]+/[^/@]+)(?:@([^/]+))?/(.+)")
# How published files are named: the first digits of the file's SHA-256 come last.
PUBLISHED_NAME = re.compile(r".+_\d{8}-([0-9a-f]{8})\.\w+")


def fetch(source: str, sha256: str | None = None) -> Path:
    """Return the path of a checkpoint on this machine; download it into the cache if need be.

    Args:
        source: Path, URL, or ``hf://owner/repository[@revision]/file`` on the Hugging Face hub.
        sha256: The SHA-256 of the file, or its first digits; None leaves it unchecked.

    Returns:
        The path given, or that of the copy in :func:`~mmttsrn.formats.user_cache.cache_folder`.

    Raises:
        UserInputError: The file is missing, cannot be downloaded, or is another one than stated.
    """
    if not is_remote(source):
        path = Path(source).expanduser()
        if not path.is_file():
            raise UserInputError(f"{source}: there is no such checkpoint file")
        check_sha256(path, sha256, source)
        return path
    path = cached_path(source)
    if path.is_file():
        check_sha256(path, sha256, f"{path} (from {source})")
        return path

    def download(url: str, output_file: str, _: object) -> None:
        os.unlink(output_file)  # made for its owner alone; a cache may serve many
        _download(url, Path(output_file))
        check_sha256(Path(output_file), sha256, url)

    print(printable(f"downloading {source} to {path}"), flush=True)
    pooch.get_logger().setLevel("WARNING")  # it says the same
    with input_errors(
        f"{source}: cannot be downloaded; where there is no network, put the file at {path}"
    ):
        pooch.retrieve(source, None, path.name, path.parent, downloader=download)
    return path


def is_remote(source: str) -> bool:
    """Return whether a source is a URL or on the hub, and not a path."""
    return "://" in source


def cached_path(source: str) -> Path:
    """Return where the copy of a source lies; files of one name from two places do not meet."""
    name = source.rpartition("/")[2].partition("?")[0] or "checkpoint"
    return cache_folder() / hashlib.sha256(source.encode()).hexdigest()[:12] / name


def check_sha256(path: Path, expected: str | None, source: str) -> None:
    """Refuse a file, called ``source``, whose SHA-256 does not begin with the digits expected.

    Raises:
        UserInputError: The digits differ.
    """
    found = pooch.file_hash(str(path)) if expected else ""
    if expected and not found.startswith(expected.lower()):
        raise UserInputError(
            f"{source}: hash mismatch: SHA-256 is {found[: len(expected)]} instead of {expected}; "
            "the file is damaged or not the published one: delete it and get it again"
        )


def check_published_name(path: Path) -> None:
    """Check a file named as published ones are, ``NAME_YYYYMMDD-<8 digits>``, against its name."""
    match = PUBLISHED_NAME.fullmatch(path.name)
    check_sha256(path, match and match.group(1), str(path))


def _download(source: str, target: Path) -> None:
    scheme = urlsplit(source).scheme
    if scheme == "hf":
        _download_from_hub(source, target)
    elif scheme == "file":
        shutil.copyfile(url2pathname(urlsplit(source).path), target)
    else:
        pooch.HTTPDownloader(sys.stderr.isatty(), chunk_size=2**20)(source, str(target), None)


def _download_from_hub(source: str, target: Path) -> None:
    match = HUB_SOURCE.fullmatch(source)
    if match is None:
        raise UserInputError(f"{source}: expected hf://owner/repository[@revision]/file")
    from huggingface_hub import hf_hub_download  # here: it takes long to import

    repository, revision, file = match.groups()
    # The endpoint may be set after the import of the hub's library, which reads it once.
    endpoint = os.environ.get("HF_ENDPOINT")
    with TemporaryDirectory(prefix=".hub-", dir=target.parent) as folder:
        copy = hf_hub_download(
            repository, file, revision=revision, local_dir=folder, endpoint=endpoint
        )
        os.replace(copy, target)
