"""Which room of the package may import what; docs/architecture.md says why."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mmttsrn"
NAME = PACKAGE.name

# What a room may import besides itself and COMMON. Modules at the top of the package are rooms too.
COMMON = {"errors", "host_internals", "registry", "version"}
ROOMS: dict[str, set[str]] = {
    "structures": set(),
    "formats": set(),
    "models": {"structures"},
    "datasets": {"structures", "formats"},
    "evaluation": {"structures", "formats"},
    "visualization": {"structures", "formats"},
    "checkpoints": {"formats"},
    "engine": {"structures", "formats", "datasets", "visualization", "checkpoints"},
    "inference": {"structures", "formats", "models", "visualization"},
    "hosts": {"structures", "formats", "models", "inference", "datasets", "evaluation",
              "visualization"},
}  # fmt: skip
ROOMS["setup_env"] = {"checkpoints", "datasets", "engine", "evaluation", "hosts", "models"}
ROOMS["apis"] = {*ROOMS}
ROOMS["cli"] = {*ROOMS}  # apis included
ROOMS["__init__"] = {"apis", "environment"}
ROOMS |= {room: set() for room in ("environment", *sorted(COMMON))}
# Packages by the rooms that may import them; those that are not named may be imported anywhere.
PACKAGES: dict[str, set[str]] = {
    "mmdet": {"hosts/mmdet", "hosts/mmtrack", "setup_env"},
    "mmtrack": {"hosts/mmtrack"},
    "transformers": {"hosts/transformers"},
    "timm": {"hosts/timm"},
    "torch": {"structures", "models", "inference", "checkpoints", "engine", "hosts", "apis", "cli",
              "visualization/masks"},
    "mmcv": {"models", "datasets", "hosts", "visualization"},
    "mmengine": {"formats", "models", "datasets", "evaluation/metrics", "visualization",
                 "checkpoints", "engine", "hosts", "apis", "cli", "host_internals", "registry",
                 "setup_env"},
    "scipy": {"models", "evaluation/analysis"},
    "matplotlib": {"evaluation/analysis", "formats/fonts"},
    "argparse": {"cli", "checkpoints/safe_types"},
}  # fmt: skip
FILES = sorted(PACKAGE.rglob("*.py"))


def imports_of(path: Path) -> Iterator[str]:
    """Dotted names that a file imports, wherever in it, or has as strings to import by."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import():
                yield from (name.name for name in node.names)
            case ast.ImportFrom():
                assert node.level == 0, f"{path}: relative import"
                yield from (f"{node.module}.{name.name}" for name in node.names)
            case ast.Constant(value=str(text)) if text.startswith(f"{NAME}."):
                module = PACKAGE.parent / text.replace(".", "/")
                if module.is_dir() or module.with_suffix(".py").is_file():
                    yield text


def place_of(path: Path) -> str:
    """Path of a file in the package without its suffix; its first part is the room."""
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def rooms_imported_by(path: Path) -> set[str]:
    """Other rooms that a file imports."""
    names = [name.split(".") for name in imports_of(path)]
    targets = {name[1] if name[1:] else "__init__" for name in names if name[0] == NAME}
    return targets - {place_of(path).partition("/")[0]}


@pytest.mark.parametrize("path", FILES, ids=place_of)
def test_imports_what_its_room_may(path: Path) -> None:
    place = place_of(path)
    forbidden = rooms_imported_by(path) - ROOMS[place.partition("/")[0]] - COMMON
    assert not forbidden, f"{place} may not import {forbidden}"
    for package in {name.partition(".")[0] for name in imports_of(path)} & PACKAGES.keys():
        within = [p for p in PACKAGES[package] if place == p or place.startswith(f"{p}/")]
        assert within, f"{place} may not import {package}"


def test_every_room_is_known() -> None:
    assert {place_of(path).partition("/")[0] for path in FILES} == ROOMS.keys()


def test_imports_have_no_circle() -> None:
    """Not even by way of imports inside functions or by strings."""
    graph: dict[str, set[str]] = {}
    for path in FILES:
        graph.setdefault(place_of(path).partition("/")[0], set()).update(rooms_imported_by(path))
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))
