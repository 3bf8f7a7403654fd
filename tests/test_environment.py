"""The check of required packages."""

import importlib
import re
import warnings
from importlib import metadata, util

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from mmttsrn import environment
from mmttsrn.environment import (
    SOURCES,
    TESTED,
    check_environment,
    check_mmcv_ops,
    required_packages,
)


@pytest.fixture
def installed(monkeypatch):
    """Versions of the distributions that seem to be installed; the test changes the dict."""
    versions = {"onedl-mmengine": "0.10.4", "onedl-mmcv": "2.3.6"}

    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    requirements = [Requirement("onedl-mmengine>=0.10.4"), Requirement("onedl-mmcv>=2.1")]
    monkeypatch.setattr(environment, "required_packages", lambda: requirements)
    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(util, "find_spec", lambda module: None)
    return versions


def test_present_environment_passes():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_environment()


@pytest.mark.parametrize(
    "versions",
    [
        {},
        {"onedl-mmcv": "2.3.99+cpu", "onedl-mmengine": "0.10.99"},  # patch releases are no news
    ],
)
def test_versions_in_range_pass_in_silence(installed, versions):
    installed.update(versions)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_environment()


def test_a_package_under_its_original_name_passes(installed):
    del installed["onedl-mmcv"]
    installed["mmcv"] = "2.1.0"
    check_environment()


def test_every_missing_package_gets_a_line_with_its_command(installed):
    installed.clear()
    with pytest.raises(ImportError) as error:
        check_environment()
    assert str(error.value).splitlines() == [
        "mmttsrn needs onedl-mmengine>=0.10.4, which is not installed: "
        'pip install "onedl-mmengine>=0.10.4"',
        "mmttsrn needs onedl-mmcv>=2.1, which is not installed: "
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
    del installed["onedl-mmcv"]
    installed[distribution] = "2.0.1"
    with pytest.raises(ImportError) as error:
        check_environment()
    assert str(error.value) == f"mmttsrn needs onedl-mmcv>=2.1, found 2.0.1: {command}"


def test_newer_minor_versions_give_one_warning(installed):
    installed.update({"onedl-mmcv": "2.4.0", "onedl-mmengine": "1.0"})
    with pytest.warns(UserWarning, match="newer") as warned:
        check_environment()
    assert len(warned) == 1
    assert "onedl-mmengine 1.0 (tested: 0.10), onedl-mmcv 2.4.0 (tested: 2.3)" in str(
        warned[0].message
    )


def test_a_source_tree_is_asked_for_its_version(installed, monkeypatch):
    del installed["onedl-mmcv"]
    monkeypatch.setattr(util, "find_spec", lambda module: object())
    source_tree = type("module", (), {"__version__": "2.0.0"})
    monkeypatch.setattr(importlib, "import_module", lambda module: source_tree)
    with pytest.raises(ImportError, match=r"needs onedl-mmcv>=2\.1, found 2\.0\.0"):
        check_environment()


def test_requirements_are_the_same_from_the_metadata_of_a_wheel(monkeypatch, tmp_path):
    lines = [
        "torch>=2.6",
        "tqdm",
        'onedl-mmcv>=2.1; extra == "hosts"',
        'pytest>=8; extra == "tests"',
    ]
    monkeypatch.setattr(environment, "SOURCES", tmp_path)
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    assert [str(required) for required in required_packages()] == ["torch>=2.6", "onedl-mmcv>=2.1"]


def test_tested_versions_are_those_of_the_constraints():
    constraints = (SOURCES / "constraints.txt").read_text()
    pinned = dict(re.findall(r"^([\w.-]+)==([\w.]+)", constraints, flags=re.MULTILINE))
    minors = {name: ".".join(map(str, Version(pinned[name]).release[:2])) for name in TESTED}
    assert minors == TESTED
    # Before 2.6, reading a checkpoint could run code despite weights_only=True: CVE-2025-32434.
    torch = next(required for required in required_packages() if required.name == "torch")
    assert not torch.specifier.contains("2.5.1")


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
