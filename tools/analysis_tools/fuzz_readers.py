"""Gives random files to the readers, and looks at what becomes of each.

A reader has to read a file or to refuse it in one line, as it documents: no other exception, no
crash, nothing that takes 10 s or 512 MB, no code of a checkpoint run. Good files are changed in
their structure and in their bytes. What is not right is printed, with the input that is kept, and
makes the exit status 1.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from fuzzing.checkpoint_reader import checkpoint_reader
from fuzzing.harness import Outcome, Reader, fuzz
from fuzzing.json_reader import json_reader
from fuzzing.rle_reader import rle_reader

from mmttsrn.cli.user_errors import report_user_errors

READERS: dict[str, Callable[[Path], Reader]] = {
    "json": json_reader,
    "rle": rle_reader,
    "checkpoint": checkpoint_reader,
}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--readers", nargs="+", choices=READERS, default=[*READERS])
    parser.add_argument("--minutes", type=float, default=10, help="for each reader")
    parser.add_argument("--seed", type=int, default=0, help="of the inputs")
    parser.add_argument(
        "--keep",
        type=Path,
        default=Path("work_dirs/fuzz_readers"),
        metavar="DIR",
        help="folder for inputs that are not handled as they should",
    )
    return parser.parse_args(argv)


def print_row(name: str, outcome: Outcome) -> None:
    """Print a row of the table, and what is not right below it."""
    numbers = (outcome.inputs, outcome.refused, outcome.accepted, len(outcome.problems))
    print(f"| {name} | {outcome.seconds / 60:.1f} | {' | '.join(map(str, numbers))} |", flush=True)
    for problem, path in outcome.problems.items():
        print(f"    {problem}: {path}", flush=True)


@report_user_errors()
def main(argv: list[str] | None = None) -> int:
    """Print the table; exit status 1 when an input was not handled as it should."""
    args = parse_args(argv)
    failed = 0
    print("| reader | minutes | inputs | refused | accepted | problems |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as name:
        for kind in args.readers:
            folder = Path(name) / kind
            folder.mkdir()
            reader = READERS[kind](folder)
            outcome = fuzz(reader, args.minutes * 60, args.seed, folder, args.keep)
            print_row(kind, outcome)
            failed += len(outcome.problems)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
