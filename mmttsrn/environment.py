"""Check of the packages that mmttsrn stands on; the oldest versions stand in ``requirements/``."""

import importlib
import warnings
from importlib import metadata, util
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

# Import name, and further pip names that provide it, of packages whose pip name is another.
OTHER_NAMES = {
    "opencv-python-headless": (
        "cv2",
        "opencv-python",
        "opencv-contrib-python-headless",
        "opencv-contrib-python",
    ),
    "onedl-mmengine": ("mmengine",),
    "onedl-mmcv": ("mmcv", "mmcv-full", "mmcv-lite"),
    "onedl-mmdetection": ("mmdet",),
}
# Newest minor versions that the test suite has run with, of the packages that change most.
TESTED = {
    "torch": "2.13",
    "onedl-mmengine": "0.10",
    "onedl-mmcv": "2.3",
    "onedl-mmdetection": "3.5",
}
BUILD_OPS = (
    "pip install torch setuptools wheel ninja psutil && "
    "pip install --no-build-isolation onedl-mmcv --force-reinstall --no-deps --no-cache-dir"
)
SOURCES = Path(__file__).resolve().parents[1] / "requirements"


def required_packages() -> list[Requirement]:
    """Return what has to be installed with a minimum, from the source tree or the metadata."""
    files = [SOURCES / f"{name}.txt" for name in ("runtime", "hosts", "hosts_runtime")]
    if all(file.is_file() for file in files):
        texts = [file.read_text(encoding="utf-8") for file in files]
        lines = [line.split("#")[0].strip() for text in texts for line in text.splitlines()]
    else:
        lines = [
            line.split(";")[0]
            for line in metadata.requires("mmttsrn") or []
            if "extra ==" not in line or "hosts" in line
        ]
    return [required for line in lines if line and (required := Requirement(line)).specifier]


def check_environment() -> None:
    """Check that every required package is installed and recent enough.

    Raises:
        ImportError: One line per missing or too old package, with the command that mends it.

    Warns:
        UserWarning: One line that names the packages of a newer minor version than tested.
    """
    problems, newer = [], []
    for required in required_packages():
        found, version = installed_version(required.name)
        tested = Version(TESTED.get(required.name, "999999"))
        if version is None or not required.specifier.contains(version, prereleases=True):
            have = "which is not installed" if version is None else f"found {version}"
            problems.append(f"mmttsrn needs {required}, {have}: {pip_command(required, found)}")
        elif version.release[:2] > tested.release:
            newer.append(f"{required.name} {version} (tested: {tested})")
    if problems:
        raise ImportError("\n".join(problems))
    if newer:
        warnings.warn(f"newer than mmttsrn is tested with: {', '.join(newer)}", stacklevel=3)


def pip_command(required: Requirement, found: str | None) -> str:
    """Return the command that installs a package.

    A distribution of another name that provides it is removed first, because pip would install the
    recommended one over its files.
    """
    remove = f"pip uninstall -y {found} && " if found not in (None, required.name) else ""
    upgrade = "--upgrade " if found == required.name else ""
    options = "--no-build-isolation " if required.name == "onedl-mmcv" else ""
    return f'{remove}pip install {upgrade}{options}"{required}"'


def installed_version(name: str) -> tuple[str | None, Version | None]:
    """Return name and version of the installed distribution, None for what is missing.

    A source tree on ``PYTHONPATH``, which has no distribution, is asked for its ``__version__``.
    """
    others = OTHER_NAMES.get(name, (name,))
    for distribution in (name, *others):
        try:
            return distribution, Version(metadata.version(distribution))
        except metadata.PackageNotFoundError:
            continue
    if util.find_spec(others[0]) is None:
        return None, None
    return None, Version(importlib.import_module(others[0]).__version__)


def check_mmcv_ops() -> None:
    """Check that MMCV has its compiled ops; call it before importing what needs them.

    Raises:
        ImportError: One line with the reason and the command that mends it.
    """
    try:
        importlib.import_module("mmcv.ops")
    # An extension of another MMCV version lacks functions, which MMCV asserts.
    except (ImportError, AssertionError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ImportError(
            f"mmcv has no usable compiled ops ({reason}); run: {BUILD_OPS}"
        ) from error
