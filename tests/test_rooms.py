"""Which room of the package may import what; docs/architecture.md says why."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mmttsrn"

# Rooms that a room may import besides itself and the modules below.
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
ROOMS["apis"] = {*ROOMS}
ROOMS["cli"] = {*ROOMS}  # apis included
# Modules at the top of the package, which any room may import.
COMMON = {"errors", "host_internals", "registry", "setup_env", "version"}
MODULES: dict[str, set[str]] = {
    "__init__": {"apis", "environment", "registry", "version"},
    "environment": set(),
    "errors": set(),
    "host_internals": set(),
    "registry": {"host_internals"},
    "setup_env": {*ROOMS},
    "version": set(),
}
# Packages by the rooms that may import them; those that are not named may be imported anywhere.
PACKAGES: dict[str, set[str]] = {
    "mmdet": {"hosts/mmdet", "hosts/mmtrack", "setup_env"},
    "mmtrack": {"hosts/mmtrack"},
    "torch": {"structures", "models", "inference", "checkpoints", "engine", "hosts", "apis", "cli",
              "visualization/masks"},
    "mmcv": {"models", "datasets", "hosts", "visualization"},
    "mmengine": {"formats", "models", "datasets", "evaluation/metrics", "visualization",
                 "checkpoints", "engine", "hosts", "apis", "cli", "host_internals", "registry",
                 "setup_env"},
    "scipy": {"models"},
    "matplotlib": {"evaluation/analysis"},
    "argparse": {"cli", "checkpoints/safe_types"},
}  # fmt: skip
FILES = sorted(PACKAGE.rglob("*.py"))


def imports_of(path: Path) -> Iterator[str]:
    """Dotted names that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_what_its_room_may(path: Path) -> None:
    place = path.relative_to(PACKAGE).with_suffix("").as_posix()
    room = place.partition("/")[0]
    for name in imports_of(path):
        package, _, rest = name.partition(".")
        if package == "mmttsrn":
            target = rest.partition(".")[0]
            allowed = ROOMS[room] | COMMON | {room} if room in ROOMS else MODULES[room]
            assert target in allowed, f"{place} may not import mmttsrn.{rest}"
        elif package in PACKAGES:
            within = [p for p in PACKAGES[package] if place == p or place.startswith(f"{p}/")]
            assert within, f"{place} may not import {package}"


def test_every_room_is_known() -> None:
    found = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in FILES}
    assert found == {*ROOMS, *MODULES}


def test_rooms_have_no_cycle() -> None:
    done: set[str] = set()
    while len(done) < len(ROOMS):
        ready = {room for room, needs in ROOMS.items() if needs - {room} <= done} - done
        assert ready, f"a cycle among {sorted(ROOMS.keys() - done)}"
        done |= ready
