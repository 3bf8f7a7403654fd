"""Gives broken and odd inputs to the commands, and looks at how they end.

A command has to refuse what is broken with one line and status 2: no traceback, no crash, no end
that does not come, no file in part, no code of a checkpoint run. What is not right is printed with
the end of its output, and makes the exit status 1. A table counts the cases of each command.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import mmdet.apis  # noqa: F401  imported once, for all processes that are forked
from broken_inputs.cases import ACCEPTED, COMMANDS, REFUSED
from broken_inputs.corpus import all_cases
from broken_inputs.good_inputs import GoodInputs
from broken_inputs.running import Outcome, run_cases, run_command

from mmttsrn.apis.init_model import init_model  # noqa: F401  for the same reason
from mmttsrn.cli.user_errors import number_type, report_user_errors
from mmttsrn.errors import UserInputError


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=[*COMMANDS])
    parser.add_argument("--only", default="", help="only cases with this text in their names")
    parser.add_argument("--jobs", type=number_type(int), default=2, help="cases at a time")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="new folder for inputs and outputs"
    )
    return parser.parse_args()


@contextlib.contextmanager
def working_folder(keep: Path | None) -> Iterator[Path]:
    """Give the folder to keep, or one that is removed in the end."""
    if keep is None:
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)
        return
    try:
        keep.mkdir(parents=True)
    except FileExistsError:
        raise UserInputError(f"--keep {keep}: is there already; give a new folder") from None
    yield keep.resolve()


def prepare(folder: Path) -> GoodInputs:
    """Write inputs without a fault."""
    good = GoodInputs(folder / "good")
    good.folder.mkdir()
    good.write()
    outcome = run_command("train", good, folder / "trained")
    if outcome.problem:
        raise RuntimeError(f"training on good input {outcome.problem}:\n{outcome.output}")
    [run] = (folder / "trained").glob("*/out/run")
    run.rename(good.trained.parent)
    return good


def print_table(outcomes: list[Outcome]) -> None:
    """Print how the cases of each command ended."""
    print("| command | cases | refused in one line | accepted | not as they should |")
    print("| --- | --- | --- | --- | --- |")
    total: Counter[str] = Counter()
    for command in COMMANDS:
        own = [outcome for outcome in outcomes if outcome.case.command == command]
        count = Counter(outcome.how for outcome in own if not outcome.problem)
        row = {
            "cases": len(own),
            REFUSED: count[REFUSED],
            ACCEPTED: count[ACCEPTED],
            "failed": sum(bool(outcome.problem) for outcome in own),
        }
        total.update(row)
        if own:
            print(f"| {command} | {' | '.join(map(str, row.values()))} |")
    print(f"| all | {' | '.join(map(str, total.values()))} |")


@report_user_errors()
def main() -> int:
    """Run the cases; exit status 1 when one of them is not as it should."""
    args = parse_args()
    cases = [c for c in all_cases() if c.command in args.commands and args.only in c.name]
    start = time.monotonic()
    outcomes = []
    with working_folder(args.keep) as folder:
        good = prepare(folder)
        for outcome in run_cases(cases, good, folder / "cases", args.jobs):
            outcomes.append(outcome)
            if outcome.problem:
                print(f"{outcome.case.command}: {outcome.case.name}: {outcome.problem}")
                print("    " + outcome.output.replace("\n", "\n    "), flush=True)
            if sys.stderr.isatty():
                print(f"\r{len(outcomes)} of {len(cases)} ", end="", file=sys.stderr)
    print_table(outcomes)
    print(f"{time.monotonic() - start:.0f} s")
    return int(any(outcome.problem for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
