"""Everything that the package and its commands import is declared."""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DECLARED = ("runtime", "hosts", "hosts_runtime", "mmtrack", "transformers")
# Import names that are not the pip name in small letters.
IMPORT_NAMES = {
    "onedl-mmengine": "mmengine",
    "onedl-mmcv": "mmcv",
    "onedl-mmdetection": "mmdet",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "pyyaml": "yaml",
}
OPTIONAL = {"supervision"}  # for who asks for its types


def declared_imports() -> set[str]:
    texts = [(ROOT / "requirements" / f"{name}.txt").read_text() for name in DECLARED]
    names = re.findall(r"^([\w.-]+)", "\n".join(texts), flags=re.MULTILINE)
    return {IMPORT_NAMES.get(name, name) for name in names}


def test_every_import_of_what_is_shipped_is_declared():
    known = declared_imports() | set(sys.stdlib_module_names) | OPTIONAL | {"mmttsrn"}
    undeclared = []
    for path in [*(ROOT / "mmttsrn").rglob("*.py"), *(ROOT / "tools").rglob("*.py")]:
        if ".mim" in path.parts or path.is_relative_to(ROOT / "tools" / "setup"):
            continue
        # Commands import what lies beside them.
        local = {p.stem for folder in (path.parent, path.parents[1]) for p in folder.iterdir()}
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            tops = {name.partition(".")[0] for name in names}
            undeclared += [f"{path.relative_to(ROOT)}: {top}" for top in tops - known - local]
    assert undeclared == []
