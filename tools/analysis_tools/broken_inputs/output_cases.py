"""Places to write to with a fault: they are files, are read-only, or are full."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from broken_inputs.cases import EITHER, REFUSED, Case, Fault, Workspace

# Option of the output, its value below a folder, and whether it is a file.
OUTPUTS: list[tuple[str, str, str, bool]] = [
    ("train", "--work-dir", "run", False),
    ("test", "--work-dir", "run", False),
    ("test", "--out", "found.pkl", True),
    ("evaluate", "--out", "numbers.json", True),
    ("evaluate", "--plots", "plots", False),
    ("submit", "--out", "results.zip", True),
    ("overlay", "--out", "overlays", False),
    ("report", "--out", "pages", False),
    ("inference", "--out", "found", False),
    ("inference", "--out", "found.mp4", True),
    ("convert", "--out", "converted.pth", True),
    ("publish", "--metafile", "metafile.yml", True),
    ("demo", "--work-dir", "demo", False),
]


def _below_a_file(work: Workspace, name: str) -> Path:
    path = work.inputs / "a_file"
    path.write_text("a file")
    return path / name


def _is_the_other(is_file: bool) -> Callable[[Workspace, str], Path]:
    def place(work: Workspace, name: str) -> Path:
        path = work.inputs / name
        if is_file:
            path.mkdir()
        else:
            path.write_text("a file")
        return path

    return place


def _linked(target: str) -> Callable[[Workspace, str], Path]:
    """Return a link with the right suffix to a place."""

    def place(work: Workspace, name: str) -> Path:
        path = work.inputs / f"link_{name}"
        path.symlink_to(target)
        return path

    return place


def _option(option: str, place: Callable[[Workspace, str], Path], name: str) -> Fault:
    def fault(work: Workspace) -> dict[str, Any]:
        return {"extra": [option, place(work, name)]}

    return fault


def output_cases() -> Iterator[Case]:
    """Cases of outputs that cannot be written."""
    for command, option, name, is_file in OUTPUTS:
        places: dict[str, tuple[str, Callable[[Workspace, str], Path]]] = {
            "below a file": (REFUSED, _below_a_file),
            "a folder" if is_file else "a file": (REFUSED, _is_the_other(is_file)),
            "in /proc": (REFUSED, lambda work, name: Path("/proc") / name),
            "in /proc/self/fdinfo": (REFUSED, lambda work, name: Path("/proc/self/fdinfo") / name),
            "link to nothing": (EITHER, _linked("/nothing/at/all")),
            "link to itself": (EITHER, _linked(f"link_{name}")),
            "name of 300 letters": (REFUSED, lambda work, name: work.out / ("x" * 300 + name)),
            "empty": (EITHER, lambda work, name: Path("")),
        }
        if is_file:
            places["link to /dev/full"] = (EITHER, _linked("/dev/full"))
        else:
            places["/dev/full"] = (REFUSED, lambda work, name: Path("/dev/full"))
        for what, (right, place) in places.items():
            title = f"{option} {name}: {what}"
            yield Case(command, title, right, _option(option, place, name))
    for place in ("/dev/full", "{folder}/in/file/release"):
        yield Case("publish", f"OUT_DIR {place}", REFUSED, _out_dir(place))
    yield Case("evaluate", "--out: an input", REFUSED, _input_as_output("truth"))
    yield Case("submit", "--out: an input", REFUSED, _input_as_output("results", ".zip"))
    yield Case("convert", "--out: an input", REFUSED, _input_as_output("foreign"))
    yield Case("inference", "--out: an input", REFUSED, _input_as_output("video"))


def _out_dir(place: str) -> Fault:
    def fault(work: Workspace) -> dict[str, Any]:
        (work.inputs / "file").touch()
        return {"out": place.format(folder=work.folder)}

    return fault


def _input_as_output(name: str, suffix: str = "") -> Fault:
    def fault(work: Workspace) -> dict[str, Any]:
        good = Path(work.good.arguments(work.inputs)[name])
        copy = work.inputs / f"copy{suffix or good.suffix}"
        copy.write_bytes(good.read_bytes())
        return {name: copy, "extra": ["--out", copy]}

    return fault
