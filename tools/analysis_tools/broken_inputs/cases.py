"""What a case is: a command, a fault of its input, and how the command should end."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broken_inputs.good_inputs import GoodInputs

REFUSED, ACCEPTED, EITHER = "refused", "accepted", "either"

# Tool below tools/, and its arguments, which are looked up by name.
COMMANDS: dict[str, tuple[str, str]] = {
    "train": ("train.py", "{config} --work-dir {out}/run"),
    "test": ("test.py", "{config} {checkpoint} --work-dir {out}/run"),
    "evaluate": (
        "analysis_tools/eval_vis.py",
        "{truth} {results} --by-size --per-class --out {out}/numbers.json",
    ),
    "submit": ("analysis_tools/make_submission.py", "{truth} {results} --out {out}/results.zip"),
    "overlay": (
        "visualization/overlay_results.py",
        "{truth} {results} --img-root {images} --out {out}/overlays --with-gt",
    ),
    "report": (
        "visualization/html_report.py",
        "{truth} {results} --img-root {images} --out {out}/pages",
    ),
    "inference": (
        "inference.py",
        "{video} --model {model} --weights {checkpoint} --out {out}/found --json --csv --html"
        " --device cpu --score-thr 0.1",
    ),
    "convert": (
        "model_converters/convert_checkpoint.py",
        "{foreign} --from twins --to {config} --out {out}/converted.pth",
    ),
    "publish": (
        "model_converters/publish_model.py",
        "{trained} {out}/release --name demo --metafile {metafile}",
    ),
    "demo": ("demo.py", "--quick --data {data} --config {config} --work-dir {out}/demo"),
}


@dataclass
class Workspace:
    """What a case has for itself.

    Attributes:
        command: Of ``COMMANDS``.
        good: Inputs without a fault, not to be changed.
        folder: Its folder, with ``in`` for broken inputs and ``out`` for what the command writes.
    """

    command: str
    good: GoodInputs
    folder: Path

    @property
    def inputs(self) -> Path:
        """Folder for broken inputs."""
        return self.folder / "in"

    @property
    def out(self) -> Path:
        """Folder of the outputs."""
        return self.folder / "out"

    @property
    def marker(self) -> Path:
        """File that is there when code from an input has run."""
        return self.folder / "code_ran"


# Writes the broken input; gives the arguments that are other ones, by name. "extra" is a list of
# arguments that come last, "all" one that stands for all arguments.
Fault = Callable[[Workspace], dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """A case.

    Attributes:
        command: Of ``COMMANDS``.
        name: What is wrong, unique for the command.
        right: How the command should end: refused, accepted or either.
        fault: Writes the input.
        says: What the message of a refusal has to hold.
    """

    command: str
    name: str
    right: str
    fault: Fault
    says: str = ""


def arguments(work: Workspace, changes: dict[str, Any]) -> list[str]:
    """Arguments of the command, some of them changed."""
    if "all" in changes:
        return [str(argument) for argument in changes["all"]]
    names = {**work.good.arguments(work.inputs), "out": work.out, **changes}
    words = COMMANDS[work.command][1].split()
    return [word.format(**names) for word in words] + [str(x) for x in changes.get("extra", [])]


def options(*extra: Any) -> Fault:
    """Fault of the command line: arguments that come last."""
    return lambda work: {"extra": extra}


def instead(*words: Any) -> Fault:
    """Fault of the command line: these arguments instead of all."""
    return lambda work: {"all": words}
