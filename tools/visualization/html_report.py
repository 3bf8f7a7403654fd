"""Writes a page for each video of a results file: player, timeline, numbers against ground truth.

Pages load nothing and need no other file; open them in any browser.
"""

import argparse
from pathlib import Path

from mmttsrn.cli.user_errors import ArgumentParser, number_type, report_user_errors, threshold
from mmttsrn.errors import UserInputError, printable
from mmttsrn.evaluation.analysis.errors import analyse_errors
from mmttsrn.evaluation.ytvis import evaluate
from mmttsrn.formats.ground_truth import GroundTruth, read_ground_truth
from mmttsrn.formats.output_files import check_output_folder
from mmttsrn.formats.results import Results, read_results
from mmttsrn.visualization.html_report import HtmlReport
from mmttsrn.visualization.render import output_stems, require_frames, videos_to_draw
from mmttsrn.visualization.video_io import FPS_LIMITS


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("ann_file", help="official json that lists the videos")
    parser.add_argument("results_file", help="results.json, as tools/test.py writes it")
    parser.add_argument(
        "--img-root", required=True, help="folder that the json's file_names are relative to"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument(
        "--score-thr", type=threshold, default=0.1, help="instances below this score are left out"
    )
    parser.add_argument("--max-videos", type=number_type(int), help="only the first videos")
    parser.add_argument(
        "--fps", type=number_type(float, *FPS_LIMITS), default=6.0, help="frames a second"
    )
    return parser.parse_args(argv)


def compare(truth: GroundTruth, results: Results, video_id: int) -> list[tuple[str, str]]:
    """Numbers of one video: names and values."""
    own = {video_id: results.get(video_id, [])}
    alone = GroundTruth(truth.name, {video_id: truth.videos[video_id]}, truth.categories)
    stats = evaluate(alone, own).stats
    errors = analyse_errors(alone, own)
    numbers = [("mask AP", stats["mAP"]), ("AP50", stats["mAP_50"]), ("AR@10", stats["AR@10"])]
    rows = [(name, f"{value:.3f}" if value >= 0 else "-") for name, value in numbers]
    rows += [(f"errors: {name}", str(count)) for name, count in errors.counts.items() if count]
    return rows


@report_user_errors()
def main(argv: list[str] | None = None) -> None:
    """Check both files, then write; bad input ends the program with one line and exit status 2."""
    args = parse_args(argv)
    check_output_folder(args.out, "--out")
    truth = read_ground_truth(args.ann_file, need_frames=True)
    results = read_results(args.results_file, truth)
    chosen = list(videos_to_draw(truth, results, args.score_thr).values())[: args.max_videos]
    if not chosen:
        raise UserInputError(f"{args.ann_file}: videos: is empty; nothing to show")
    require_frames([drawn.video for drawn in chosen], args.img_root)
    stems = output_stems([drawn.video for drawn in chosen])
    for drawn in chosen:
        video = drawn.video
        path = args.out / f"{stems[video.id]}.html"
        numbers = compare(truth, results, video.id) if truth.has_sequences else None
        title = f"{stems[video.id]} (video {video.id})"
        with HtmlReport(path, title, video.length, args.fps, numbers) as report:
            for index, image in enumerate(drawn.images(args.img_root)):
                true = drawn.frame(index, video.sequences) if numbers else None
                report.add(image, drawn.frame(index, drawn.predicted), true)
        print(printable(path), flush=True)


if __name__ == "__main__":
    main()
