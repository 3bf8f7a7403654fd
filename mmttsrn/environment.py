"""Check of the packages that mmttsrn stands on; imports none of them."""

import importlib
import re
import warnings
from dataclasses import dataclass
from importlib import metadata, util


@dataclass(frozen=True)
class RequiredPackage:
    """A package that has to be installed.

    Args:
        module: Import name.
        distributions: Names under which pip may have installed it, the recommended one first.
        minimum: Oldest version that works.
        tested: Newest version that the test suite has run with.
        pip_options: Options that ``pip install`` needs for this package.
    """

    module: str
    distributions: tuple[str, ...]
    minimum: str
    tested: str
    pip_options: str = ""

    def install_command(self, found: str | None = None) -> str:
        """Pip command that installs the package.

        A distribution of another name that provides it now is removed first, because pip would
        install the recommended one over its files.
        """
        recommended = self.distributions[0]
        words = ["pip install", self.pip_options, f'"{recommended}>={self.minimum}"']
        if found == recommended:
            words.insert(1, "--upgrade")
        elif found is not None:
            words.insert(0, f"pip uninstall -y {found} &&")
        return " ".join(word for word in words if word)


# In the order of installation: MMCV compiles its ops against the PyTorch that is there.
REQUIRED_PACKAGES = (
    # Older ones run code from checkpoints in spite of `weights_only=True` (CVE-2025-32434).
    RequiredPackage("torch", ("torch",), "2.6", "2.13.0"),
    RequiredPackage("numpy", ("numpy",), "1.24", "2.4.6"),
    RequiredPackage("scipy", ("scipy",), "1.10", "1.17.1"),
    RequiredPackage(
        "cv2",
        (
            "opencv-python-headless",
            "opencv-python",
            "opencv-contrib-python-headless",
            "opencv-contrib-python",
        ),
        "4.7",
        "5.0.0.93",
    ),
    RequiredPackage("pycocotools", ("pycocotools",), "2.0.6", "2.0.11"),
    RequiredPackage("safetensors", ("safetensors",), "0.4", "0.8.0"),
    RequiredPackage("pooch", ("pooch",), "1.8", "1.9.0"),
    RequiredPackage("huggingface_hub", ("huggingface_hub",), "0.23", "2.4.0"),
    RequiredPackage("mmengine", ("onedl-mmengine", "mmengine"), "0.10.4", "0.10.12"),
    RequiredPackage(
        "mmcv",
        ("onedl-mmcv", "mmcv", "mmcv-full", "mmcv-lite"),
        "2.1",
        "2.3.6",
        pip_options="--no-build-isolation",
    ),
    RequiredPackage("mmdet", ("onedl-mmdetection", "mmdet"), "3.3", "3.5.1"),
)


def check_environment(packages: tuple[RequiredPackage, ...] = REQUIRED_PACKAGES) -> None:
    """Check that every required package is installed and recent enough.

    Raises:
        ImportError: One line per missing or too old package, with the command that mends it.

    Warns:
        UserWarning: One line that names the packages newer than the tested versions.
    """
    problems: list[str] = []
    newer: list[str] = []
    for package in packages:
        distribution, version = installed_version(package)
        if version is None:
            problems.append(
                f"mmttsrn needs {package.module}>={package.minimum}, which is not installed: "
                f"{package.install_command()}"
            )
        elif release(version) < release(package.minimum):
            problems.append(
                f"mmttsrn needs {package.module}>={package.minimum}, found {version}: "
                f"{package.install_command(distribution)}"
            )
        elif release(version) > release(package.tested):
            newer.append(f"{package.module} {version} (tested: {package.tested})")
    if problems:
        raise ImportError("\n".join(problems))
    if newer:
        warnings.warn(
            f"newer than the versions mmttsrn is tested with: {', '.join(newer)}", stacklevel=3
        )


def installed_version(package: RequiredPackage) -> tuple[str | None, str | None]:
    """Name of the installed distribution and version of a package.

    A package that no distribution provides but that can be imported, such as a source tree on
    ``PYTHONPATH``, is asked for its ``__version__``.

    Returns:
        ``(distribution, version)``; both None when the package is missing.
    """
    for distribution in package.distributions:
        try:
            return distribution, metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    if util.find_spec(package.module) is None:
        return None, None
    return None, str(importlib.import_module(package.module).__version__)


def release(version: str) -> tuple[int, ...]:
    """Release numbers of a version: ``"2.13.0+cpu"`` -> ``(2, 13)``.

    Trailing zeros, pre-release and local parts are left out. The ``packaging`` library would do
    this, but may itself be among what is missing.
    """
    match = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(number) for number in match.group().split(".")] if match else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def check_mmcv_ops() -> None:
    """Check that MMCV has its compiled ops; call it before importing what needs them.

    Raises:
        ImportError: One line with the reason and the command that mends it.
    """
    try:
        importlib.import_module("mmcv.ops")
    # An extension of another MMCV version lacks functions, which MMCV asserts.
    except (ImportError, AssertionError) as error:
        reason = str(error).strip().splitlines()
        raise ImportError(
            f"mmcv has no usable compiled ops ({reason[0] if reason else type(error).__name__}); "
            "with torch, setuptools, wheel, ninja and psutil installed, run: "
            "pip install --no-build-isolation onedl-mmcv --force-reinstall --no-deps --no-cache-dir"
        ) from error
