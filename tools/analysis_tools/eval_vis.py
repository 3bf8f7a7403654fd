"""Evaluates results against ground truth by the YouTube-VIS definition.

Prints the official numbers, and what the options ask for: numbers of parts of the data, an error
analysis, plots, a comparison with other results, and all of it in full precision as json.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from mmttsrn.cli.user_errors import ArgumentParser, number_type, report_user_errors
from mmttsrn.errors import UserInputError, printable
from mmttsrn.evaluation import Evaluation
from mmttsrn.evaluation.analysis import report
from mmttsrn.evaluation.analysis.comparison import VideoDifference, compare_videos
from mmttsrn.evaluation.analysis.errors import ErrorReport, analyse_errors
from mmttsrn.evaluation.analysis.mask_ranking import MaskRanking, rank_masks
from mmttsrn.evaluation.analysis.metrics_json import metrics_content
from mmttsrn.evaluation.class_agnostic import merge_classes, merge_result_classes
from mmttsrn.evaluation.ytvis import evaluate
from mmttsrn.formats.ground_truth import GroundTruth, read_ground_truth
from mmttsrn.formats.output_files import check_output_file, check_output_folder, replace_file
from mmttsrn.formats.results import Results, read_results

PROGRESS_DELAY = 0.5  # seconds; shorter work shows no bar


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("gt", help="official json with ground truth")
    parser.add_argument("results", help="results.json, as tools/test.py writes it")
    parser.add_argument("--per-class", action="store_true", help="numbers of each class")
    parser.add_argument(
        "--by-size",
        action="store_true",
        help="numbers by area, and by occlusion where the json has it",
    )
    parser.add_argument(
        "--by-length",
        action="store_true",
        help="numbers by number of frames, and of long videos where the json marks them",
    )
    parser.add_argument("--errors", action="store_true", help="what each kind of error costs")
    parser.add_argument(
        "--masks", action="store_true", help="how good masks are, and whether scores rank them"
    )
    parser.add_argument("--plots", type=Path, metavar="DIR", help="write PNG plots to this folder")
    parser.add_argument("--out", type=Path, metavar="JSON", help="write all numbers to this file")
    parser.add_argument(
        "--compare", metavar="OTHER_RESULTS", help="other results to compare with, by video"
    )
    parser.add_argument(
        "--boundary",
        dest="iou_type",
        action="store_const",
        const="boundary",
        default="mask",
        help="take the IoU of boundaries of the masks where smaller (not in --errors, --masks)",
    )
    parser.add_argument(
        "--class-agnostic",
        action="store_true",
        help="take all classes as one, in everything that is printed and written",
    )
    parser.add_argument("--threads", type=number_type(int), help="all cores by default")
    return parser.parse_args(argv)


def check_outputs(args: argparse.Namespace) -> None:
    """Refuses outputs that cannot be written, before the work."""
    inputs = [path for path in (args.gt, args.results, args.compare) if path is not None]
    if args.out is not None:
        check_output_file(args.out, "--out", inputs)
    if args.plots is not None:
        check_output_folder(args.plots, "--plots")


def load_truth(path: str) -> GroundTruth:
    """Read ground truth.

    Raises:
        UserInputError: It is broken, or there is none.
    """
    truth = read_ground_truth(path)
    if not truth.has_sequences:
        raise UserInputError(
            f"{path}: annotations: has no ground truth, so there is nothing to evaluate against;"
            " tools/analysis_tools/make_submission.py checks results without it"
        )
    return truth


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr, where that is a terminal and the work takes long."""
    with tqdm(desc=title, unit="video", disable=None, delay=PROGRESS_DELAY, leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def evaluate_results(
    args: argparse.Namespace, truth: GroundTruth, results: Results, title: str
) -> Evaluation:
    """Evaluate with a progress bar."""
    with progress_bar(title) as progress:
        return evaluate(truth, results, args.iou_type, args.threads, progress)


def tables(
    args: argparse.Namespace,
    evaluation: Evaluation,
    errors: ErrorReport | None,
    masks: MaskRanking | None,
    other: Evaluation | None,
    differences: list[VideoDifference],
) -> list[str]:
    """Return the tables that the options ask for."""
    title = f"{args.results} on {args.gt}, {args.iou_type} IoU"
    title += ", all classes as one" if args.class_agnostic else ""
    found = [report.summary_table(evaluation, title)]
    if args.per_class:
        found.append(report.category_table(evaluation))
    if args.by_size:
        found += [report.size_table(evaluation), report.occlusion_table(evaluation) or ""]
    if args.by_length:
        found += [report.length_table(evaluation), report.long_video_table(evaluation) or ""]
    if args.errors and errors is not None:
        found.append(report.error_table(errors))
    if args.masks and masks is not None:
        found.append(report.mask_table(masks))
    if other is not None:
        title = f"Comparison with {args.compare}"
        found += [
            report.comparison_table(evaluation, other, title),
            report.video_table(differences),
        ]
    return [table for table in found if table]


def write_plots(folder: Path, evaluation: Evaluation, errors: ErrorReport) -> list[Path]:
    """Write the plots and return their paths."""
    from mmttsrn.evaluation.analysis import plots  # matplotlib loads slowly

    paths = [folder / name for name in ("precision_recall.png", "classes.png", "errors.png")]
    plots.plot_precision_recall(evaluation, paths[0])
    plots.plot_categories(evaluation, paths[1])
    plots.plot_errors(errors, paths[2])
    return paths


@report_user_errors()
def main(argv: list[str] | None = None) -> None:
    """Read and evaluate, then write and print; bad input ends it with one line and status 2."""
    args = parse_args(argv)
    check_outputs(args)
    truth = load_truth(args.gt)
    results = read_results(args.results, truth)
    other_results = read_results(args.compare, truth) if args.compare is not None else None
    if args.class_agnostic:
        results = merge_result_classes(results, truth)
        other_results = other_results and merge_result_classes(other_results, truth)
        truth = merge_classes(truth)
    evaluation = evaluate_results(args, truth, results, "evaluating")
    errors, other, differences = None, None, []
    if args.errors or args.plots is not None or args.out is not None:
        with progress_bar("analysing errors") as progress:
            errors = analyse_errors(truth, results, progress)
    masks = rank_masks(truth, results) if args.masks or args.out is not None else None
    if other_results is not None:
        other = evaluate_results(args, truth, other_results, "evaluating other results")
        differences = compare_videos(evaluation, other)
    written = []
    if args.plots is not None and errors is not None:
        written += write_plots(args.plots, evaluation, errors)
    if args.out is not None:
        sources = {
            "ground_truth": args.gt,
            "results": args.results,
            "other_results": args.compare,
            "iou_type": args.iou_type,
            "class_agnostic": args.class_agnostic,
        }
        content = sources | metrics_content(evaluation, errors, masks, other, differences)
        text = json.dumps(content, indent=1, allow_nan=False) + "\n"
        replace_file(args.out, lambda partial: partial.write_text(text))
        written.append(args.out)
    print("\n\n".join(tables(args, evaluation, errors, masks, other, differences)))
    for path in written:
        print(f"wrote {printable(path)}")


if __name__ == "__main__":
    main()
