"""Checks results against the json of their videos and zips them for an evaluation server.

Masks may be polygons or uncompressed: they are written as servers take them. A problem is told with
its entry and field; then nothing is written and the exit status is 2.
"""

import argparse
from pathlib import Path

from mmttsrn.cli.user_errors import ArgumentParser, report_user_errors
from mmttsrn.errors import printable
from mmttsrn.evaluation.analysis.submission import submission_entries
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
    entries = submission_entries(args.results, truth)
    num_videos = len({entry["video_id"] for entry in entries})
    print(
        f"{len(entries)} entries for {num_videos} of {len(truth.videos)} videos, no problem found"
    )
    zip_results(entries, args.out)
    print(f"{printable(args.out)} is the file to submit")


if __name__ == "__main__":
    main()
