"""Import of MMTracking beside versions that it refuses; most of it runs without MMTracking."""

import subprocess
import sys
from importlib import util
from pathlib import Path

import mmcv
import mmdet
import pytest
from mmdet.models import layers

from mmttsrn.hosts.mmtrack_importing import _is_accepted, import_mmtrack, placeholders

PROGRAM = """
import mmcv, mmdet
from mmttsrn.hosts.mmtrack_importing import import_mmtrack
mmcv.__version__, mmdet.__version__ = {versions}
print("version", import_mmtrack().__version__)
"""


def fake_mmtrack(folder: Path) -> Path:
    """A package like MMTracking, which says when its ``__init__`` is executed."""
    package = folder / "mmtrack"
    package.mkdir()
    (package / "__init__.py").write_text(
        'print("__init__ executed")\n__version__ = "from __init__"\n'
    )
    (package / "version.py").write_text('__version__ = "9"\nversion_info = (9,)\n')
    for name in ("datasets", "engine", "evaluation", "structures", "utils", "visualization"):
        (package / f"{name}.py").write_text("")
    (package / "models.py").write_text("from mmcls.models.classifiers import ImageClassifier\n")
    return folder


def run(folder: Path, versions: tuple[str, str]) -> str:
    code = f"import sys; sys.path.insert(0, {str(folder)!r})" + PROGRAM.format(versions=versions)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1500:]
    return done.stdout


def test_its_assertions_on_versions_are_not_executed(tmp_path: Path) -> None:
    output = run(fake_mmtrack(tmp_path), ("2.3.6", "3.5.1"))
    assert output.splitlines()[-1] == "version 9"
    assert "executed" not in output


def test_versions_that_it_accepts_are_left_to_it(tmp_path: Path) -> None:
    (fake_mmtrack(tmp_path) / "mmtrack" / "models.py").write_text(
        "import sys; assert 'mmcls' not in sys.modules  # no placeholder\n"
    )
    output = run(tmp_path, ("2.0.0rc4", "3.0.0rc6"))
    assert "__init__ executed" in output
    assert output.splitlines()[-1] == "version from __init__"


@pytest.mark.parametrize(
    ("mmcv_version", "mmdet_version", "accepted"),
    [("2.0.0rc4", "3.0.0rc6", True), ("2.0.0rc4", "3.0.0", False), ("2.0.0", "3.0.0rc6", False)],
)
def test_which_versions_it_accepts(monkeypatch, mmcv_version, mmdet_version, accepted) -> None:
    monkeypatch.setattr(mmcv, "__version__", mmcv_version)
    monkeypatch.setattr(mmdet, "__version__", mmdet_version)
    assert _is_accepted() is accepted


def test_without_it_one_line_names_the_command(monkeypatch) -> None:
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "mmtrack", raising=False)
    with pytest.raises(
        ImportError, match=r"^the host mmtrack is not installed.*make setup-mmtrack$"
    ):
        import_mmtrack()


def test_what_it_needs_and_is_missing_is_named(tmp_path: Path) -> None:
    (fake_mmtrack(tmp_path) / "mmtrack" / "engine.py").write_text("import nothing_like_it\n")
    with pytest.raises(AssertionError, match=r"nothing_like_it.*make setup-mmtrack"):
        run(tmp_path, ("2.3.6", "3.5.1"))


def test_placeholders_are_taken_away_and_refuse_to_be_made() -> None:
    had_mmcls = util.find_spec("mmcls") is not None
    with placeholders():
        from mmcls.models.classifiers import ImageClassifier

        transformer = layers.Transformer
    assert had_mmcls or not [name for name in sys.modules if name.startswith("mmcls")]
    assert not hasattr(layers, "Transformer")
    for placeholder, who in ((ImageClassifier, "ReID"), (transformer, "STARK")):
        derived = type("Derived", (placeholder,), {})
        with pytest.raises(ImportError, match=who):
            derived(1, key=2)
