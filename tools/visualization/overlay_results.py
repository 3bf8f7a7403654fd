"""Draws YouTube-VIS results on the frames: masks, boxes and labels ``class score #id``."""

import argparse
import time

from mmttsrn.cli.user_errors import ArgumentParser, number_type, report_user_errors, threshold
from mmttsrn.errors import UserInputError, printable
from mmttsrn.formats.ground_truth import read_ground_truth
from mmttsrn.formats.results import read_results
from mmttsrn.visualization.render import VideoSequences, render_videos, videos_to_draw
from mmttsrn.visualization.video_io import FORMATS, FPS_LIMITS


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
    parser.add_argument("--out", required=True, help="folder to write to")
    parser.add_argument(
        "--score-thr", type=threshold, default=0.3, help="instances below this score are not drawn"
    )
    parser.add_argument(
        "--video-id", type=int, nargs="+", help="only these videos; all without this option"
    )
    parser.add_argument("--max-videos", type=number_type(int), help="only the first videos")
    parser.add_argument(
        "--fps", type=number_type(float, *FPS_LIMITS), default=6.0, help="frames a second of mp4"
    )
    parser.add_argument("--format", choices=FORMATS, default="mp4", help="what to write")
    parser.add_argument(
        "--with-gt", action="store_true", help="show ground truth to the left of the results"
    )
    return parser.parse_args(argv)


def select_videos(
    videos: dict[int, VideoSequences], video_ids: list[int] | None, max_videos: int | None
) -> list[VideoSequences]:
    """Return the videos to draw, in the order of the annotation file.

    Raises:
        UserInputError: An id is not in the annotation file.
    """
    for video_id in video_ids or []:
        if video_id not in videos:
            raise UserInputError(
                f"--video-id {video_id}: not a video of the annotation file; it has the ids "
                + ", ".join(map(str, list(videos)[:20]))
                + (", ..." if len(videos) > 20 else "")
            )
    chosen = [video for key, video in videos.items() if video_ids is None or key in video_ids]
    return chosen[:max_videos]


@report_user_errors()
def main(argv: list[str] | None = None) -> None:
    """Check both files, then draw; bad input ends the program with one line and exit status 2."""
    args = parse_args(argv)
    truth = read_ground_truth(args.ann_file, need_frames=True)
    videos = videos_to_draw(truth, read_results(args.results_file, truth), args.score_thr)
    chosen = select_videos(videos, args.video_id, args.max_videos)
    if args.with_gt and not truth.has_sequences:
        raise UserInputError(
            f"{args.ann_file}: annotations: has no ground truth to show; leave out --with-gt"
        )
    if not any(drawn.predicted for drawn in chosen):
        print(f"note: no instance of these videos reaches --score-thr {args.score_thr}")
    start = time.monotonic()
    written = render_videos(chosen, args.img_root, args.out, args.format, args.fps, args.with_gt)
    for number, (drawn, paths) in enumerate(zip(chosen, written, strict=True), start=1):
        counts = f"{drawn.video.length} frames, {len(drawn.predicted)} instances"
        names = printable(" and ".join(map(str, paths)))
        print(f"[{number}/{len(chosen)}] {names}: {counts}", flush=True)
    out = printable(args.out)
    print(f"wrote {len(chosen)} videos to {out} in {time.monotonic() - start:.1f} s")


if __name__ == "__main__":
    main()
