"""Every command once with good inputs, with a broken one, and with places it cannot write to."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Ended, run_command
from good_inputs import RELEASE, GoodInputs

# Arguments of a command, and the input that is broken; it is a copy with its name.
COMMANDS: dict[str, tuple[str, str]] = {
    "train.py": ("{config} --work-dir out", "config"),
    "test.py": ("{config} {released} --work-dir out --out out/found.pkl", "released"),
    "analysis_tools/eval_vis.py": (
        "{truth} {results} --by-size --per-class --errors --out out/numbers.json", "results",
    ),
    "analysis_tools/make_submission.py": ("{truth} {results} --out out/results.zip", "truth"),
    "visualization/overlay_results.py": (
        "{truth} {results} --img-root {images} --with-gt --out out/overlays", "results",
    ),
    "visualization/html_report.py": (
        "{truth} {results} --img-root {images} --out out/pages", "truth",
    ),
    "inference.py": (
        f"{{video}} --model {RELEASE} --weights {{released}} --out out/found --json --csv --html"
        " --png --device cpu --score-thr 0.1", "video",
    ),
    "model_converters/convert_checkpoint.py": (
        "{foreign} --from twins --to {config} --out out/converted.pth", "foreign",
    ),
    "model_converters/publish_model.py": (
        "{trained} out/release --name a --metafile metafile.yml", "trained",
    ),
    "demo.py": ("--quick --data {data} --config {config} --work-dir out", "config"),
}  # fmt: skip
INPUTS = (
    "config", "released", "trained", "foreign", "truth", "results", "images", "video", "data",
)  # fmt: skip


def run(tool: str, good: GoodInputs, folder: Path, *options: object, **changes: Path) -> Ended:
    (folder / "metafile.yml").write_text("Collections:\n  - Name: TT-SRN\nModels: []\n")
    names = {name: getattr(good, name) for name in INPUTS} | changes
    words = COMMANDS[tool][0].format(**names).split()
    return run_command(tool, *words, *options, folder=folder)


@pytest.mark.parametrize("tool", COMMANDS)
def test_good_input_is_accepted(good: GoodInputs, tmp_path: Path, tool: str) -> None:
    ended = run(tool, good, tmp_path)
    assert ended.status == 0, ended.errors
    assert any(path.is_file() for path in (tmp_path / "out").rglob("*"))
    ended.check_files()


@pytest.mark.parametrize("tool", COMMANDS)
def test_broken_input_is_refused(good: GoodInputs, tmp_path: Path, tool: str) -> None:
    source = getattr(good, COMMANDS[tool][1])
    path = tmp_path / f"broken{source.suffix}"
    path.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    run(tool, good, tmp_path, **{COMMANDS[tool][1]: path}).check_refused(path.name)


def _below_a_file(folder: Path, name: str) -> Path:
    (folder / "a_file").touch()
    return folder / "a_file" / name


def _the_other(folder: Path, name: str) -> Path:
    """A folder at the place of a file, a file at that of a folder."""
    if Path(name).suffix:
        (folder / name).mkdir()
    else:
        (folder / name).touch()
    return folder / name


PLACES: dict[str, Callable[[Path, str], Path]] = {
    "below a file": _below_a_file,
    "file or folder": _the_other,
    "in /proc": lambda folder, name: Path("/proc") / name,
    "long name": lambda folder, name: folder / ("x" * 300 + name),
}
# Option that names an output, and a name for it.
OUTPUTS = [
    ("train.py", "--work-dir", "run"),
    ("test.py", "--work-dir", "run"),
    ("test.py", "--out", "found.pkl"),
    ("analysis_tools/eval_vis.py", "--out", "numbers.json"),
    ("analysis_tools/eval_vis.py", "--plots", "plots"),
    ("analysis_tools/make_submission.py", "--out", "results.zip"),
    ("visualization/overlay_results.py", "--out", "overlays"),
    ("visualization/html_report.py", "--out", "pages"),
    ("inference.py", "--out", "found"),
    ("inference.py", "--out", "found.mp4"),
    ("model_converters/convert_checkpoint.py", "--out", "converted.pth"),
    ("model_converters/publish_model.py", "--metafile", "metafile.yml"),
    ("demo.py", "--work-dir", "demo"),
]


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(("tool", "option", "name"), OUTPUTS)
def test_places_that_cannot_be_written_to(
    good: GoodInputs, tmp_path: Path, tool: str, option: str, name: str, place: Callable
) -> None:
    (tmp_path / "in").mkdir()
    path = place(tmp_path / "in", name)
    run(tool, good, tmp_path, option, path).check_refused(f"{path.name}|{path.parent.name}")


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ("analysis_tools/eval_vis.py", "truth"),
        ("model_converters/convert_checkpoint.py", "foreign"),
        ("inference.py", "video"),
    ],
)
def test_an_input_is_not_overwritten(
    good: GoodInputs, tmp_path: Path, tool: str, name: str
) -> None:
    path = shutil.copy(getattr(good, name), tmp_path / f"copy{getattr(good, name).suffix}")
    run(tool, good, tmp_path, "--out", path, **{name: path}).check_refused("--out", path.name)
    assert path.read_bytes() == getattr(good, name).read_bytes()
