"""Checks results against the json of their videos and zips them for an evaluation server.

Every problem is listed with its entry and field; then nothing is written and the exit status is 2.
"""

import argparse
import sys
from pathlib import Path

from mmttsrn.cli.user_errors import ArgumentParser, report_user_errors
from mmttsrn.errors import UserInputError
from mmttsrn.evaluation.analysis.submission import check_submission
from mmttsrn.formats.ground_truth import read_ground_truth
from mmttsrn.formats.output_files import check_output_file
from mmttsrn.formats.results import zip_results


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("videos_json", help="official json of the videos, without or with truth")
    parser.add_argument("results", help="results.json, as tools/test.py writes it")
    parser.add_argument(
        "--out", type=_zip_name, help="zip file to write; RESULTS with the suffix .zip by default"
    )
    args = parser.parse_args(argv)
    if args.out is None:
        args.out = Path(args.results).with_suffix(".zip")
    return args


def _zip_name(text: str) -> Path:
    path = Path(text)
    if path.suffix != ".zip":
        raise argparse.ArgumentTypeError(f"expected a name that ends with .zip, got {text!r}")
    return path


@report_user_errors()
def main(argv: list[str] | None = None) -> None:
    """Check, then write the zip file; bad input ends the program with exit status 2."""
    args = parse_args(argv)
    check_output_file(args.out, "--out", [args.videos_json, args.results])
    truth = read_ground_truth(args.videos_json)
    check = check_submission(args.results, truth)
    for problem in check.problems:
        print(f"{args.results}: {problem}", file=sys.stderr)
    if check.problems:
        count = len(check.problems)
        raise UserInputError(
            f"{args.results}: {count} problem{'s' if count > 1 else ''} in {check.num_entries}"
            " entries, listed above; no zip file was written"
        )
    print(
        f"{check.num_entries} entries for {len(check.video_ids)} of {len(truth.videos)} videos,"
        " no problem found"
    )
    zip_results(args.results, args.out)
    print(f"{args.out} is the file to submit")


if __name__ == "__main__":
    main()
