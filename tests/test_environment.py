"""The check of required packages."""

import importlib
import re
import warnings
from importlib import metadata, util
from pathlib import Path

import pytest

from mmttsrn import environment
from mmttsrn.environment import (
    REQUIRED_PACKAGES,
    RequiredPackage,
    check_environment,
    check_mmcv_ops,
    release,
)

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements"
MMCV = RequiredPackage(
    "mmcv", ("onedl-mmcv", "mmcv"), "2.1", "2.3.6", pip_options="--no-build-isolation"
)
MMENGINE = RequiredPackage("mmengine", ("onedl-mmengine", "mmengine"), "0.10.4", "0.10.12")


@pytest.fixture
def installed(monkeypatch):
    """Versions of the distributions that seem to be installed; the test fills the dict."""
    versions: dict[str, str] = {}

    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(util, "find_spec", lambda module: None)
    return versions


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("2.13.0+cpu", (2, 13)),
        ("2.13", (2, 13)),
        ("0.10.8rc1", (0, 10, 8)),
        ("5.0.0.93", (5, 0, 0, 93)),
        ("unknown", ()),
    ],
)
def test_release(version, expected):
    assert release(version) == expected


def test_present_environment_passes():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_environment()


def test_versions_in_range_pass_in_silence(installed):
    installed.update({"onedl-mmcv": "2.3.6", "onedl-mmengine": "0.10.4"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_environment((MMENGINE, MMCV))


def test_a_package_under_its_original_name_passes(installed):
    installed.update({"mmcv": "2.1.0", "mmengine": "0.10.7"})
    check_environment((MMENGINE, MMCV))


def test_every_missing_package_gets_a_line_with_its_command(installed):
    with pytest.raises(ImportError) as error:
        check_environment((MMENGINE, MMCV))
    assert str(error.value).splitlines() == [
        "mmttsrn needs mmengine>=0.10.4, which is not installed: "
        'pip install "onedl-mmengine>=0.10.4"',
        "mmttsrn needs mmcv>=2.1, which is not installed: "
        'pip install --no-build-isolation "onedl-mmcv>=2.1"',
    ]


@pytest.mark.parametrize(
    ("distribution", "command"),
    [
        ("onedl-mmcv", 'pip install --upgrade --no-build-isolation "onedl-mmcv>=2.1"'),
        # Both provide the import name mmcv: pip would install one over the files of the other.
        ("mmcv", 'pip uninstall -y mmcv && pip install --no-build-isolation "onedl-mmcv>=2.1"'),
    ],
)
def test_too_old_package(installed, distribution, command):
    installed[distribution] = "2.0.1"
    with pytest.raises(ImportError) as error:
        check_environment((MMCV,))
    assert str(error.value) == f"mmttsrn needs mmcv>=2.1, found 2.0.1: {command}"


def test_newer_packages_give_one_warning(installed):
    installed.update({"onedl-mmcv": "2.4.0", "onedl-mmengine": "1.0"})
    with pytest.warns(UserWarning, match="newer") as warned:
        check_environment((MMENGINE, MMCV))
    assert len(warned) == 1
    message = str(warned[0].message)
    assert "mmengine 1.0 (tested: 0.10.12)" in message
    assert "mmcv 2.4.0 (tested: 2.3.6)" in message


def test_a_source_tree_is_asked_for_its_version(installed, monkeypatch):
    monkeypatch.setattr(util, "find_spec", lambda module: object())
    source_tree = type("module", (), {"__version__": "2.0.0"})
    monkeypatch.setattr(importlib, "import_module", lambda module: source_tree)
    with pytest.raises(ImportError, match=r"needs mmcv>=2\.1, found 2\.0\.0"):
        check_environment((MMCV,))


def test_oldest_versions_are_those_that_pip_is_asked_for():
    texts = [path.read_text() for path in REQUIREMENTS.glob("*.txt")]
    asked = dict(re.findall(r"^([\w.-]+)>=([\w.]+)", "\n".join(texts), flags=re.MULTILINE))
    assert {package.distributions[0]: package.minimum for package in REQUIRED_PACKAGES}.items() <= (
        asked.items()
    )
    # Before it, reading a checkpoint could run code whatever the reader asked for: CVE-2025-32434.
    assert release(asked["torch"]) >= (2, 6)


def test_mmcv_ops_are_there():
    check_mmcv_ops()


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'mmcv._ext'"),
        ImportError("_ext.so: undefined symbol\nmore"),
        AssertionError("nms miss in module _ext"),
    ],
)
def test_missing_mmcv_ops(monkeypatch, error):
    def import_module(name: str) -> None:
        raise error

    monkeypatch.setattr(environment.importlib, "import_module", import_module)
    with pytest.raises(ImportError) as raised:
        check_mmcv_ops()
    message = str(raised.value)
    assert "\n" not in message
    assert str(error).splitlines()[0] in message
    assert "pip install --no-build-isolation onedl-mmcv" in message
