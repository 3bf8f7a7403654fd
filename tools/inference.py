"""Finds the instances of videos: overlay video, json, table and pictures of ids.

INPUT is a video file, a folder or pattern of images, the number of a camera, the URL of a stream, a
folder of video files, or a text file with one of these on each line.
"""

import argparse
import os
import re
import runpy
import sys
import time
from pathlib import Path

if __name__ == "__main__":  # before the imports, which fail without what is checked
    runpy.run_path(str(Path(__file__).resolve().parents[0] / "setup" / "check_packages.py"))

import cv2
import torch
from tqdm import tqdm

from mmttsrn.apis.init_model import DEFAULT_MODEL
from mmttsrn.apis.video_files import (
    Summary,
    predict_to_files,
    result_paths,
)
from mmttsrn.apis.vis_inferencer import VISInferencer
from mmttsrn.cli.command_line import add_override_argument
from mmttsrn.cli.user_errors import (
    ArgumentParser,
    process_rank,
    report_user_errors,
    threshold,
    warn_user,
)
from mmttsrn.errors import UserInputError, printable
from mmttsrn.formats.output_files import check_output_folder
from mmttsrn.formats.video_lists import list_videos, result_stems
from mmttsrn.formats.videos import BROKEN_FRAMES, FrameSource
from mmttsrn.structures import FrameResults
from mmttsrn.visualization.overlay import draw_instances

INTERRUPTED = 130  # exit status of a program that was ended by Ctrl-C


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="see above")
    parser.add_argument(
        "--model",
        help="released model, config, hf://owner/repository or its folder; without it that of "
        f"--weights, or {DEFAULT_MODEL}",
    )
    parser.add_argument(
        "--weights", help="path, URL or hub id; those of the release or hub without it"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("work_dirs/inference"),
        help="folder to write to, or the name of the overlay mp4 of a single video; "
        "%(default)s without it",
    )
    parser.add_argument("--json", action="store_true", help="write sequences, YouTube-VIS format")
    parser.add_argument("--csv", action="store_true", help="write a table of all instances")
    parser.add_argument("--png", action="store_true", help="write a picture of ids for each frame")
    parser.add_argument("--html", action="store_true", help="write a page with player and timeline")
    parser.add_argument("--no-video", action="store_true", help="write no overlay video")
    parser.add_argument(
        "--score-thr",
        type=threshold,
        default=0.3,
        help="instances below it are left out; %(default)s",
    )
    parser.add_argument("--classes", nargs="+", metavar="NAME", help="only these classes")
    parser.add_argument(
        "--boxes-only", action="store_true", help="compute no masks, which is faster"
    )
    parser.add_argument("--window", type=int, help="frames that the model sees at once")
    parser.add_argument("--overlap", type=int, help="frames that neighbouring windows share")
    parser.add_argument(
        "--latency", type=int, help="frames after a frame that may be read for its results"
    )
    parser.add_argument(
        "--broken-frames",
        choices=BROKEN_FRAMES,
        default="skip",
        help="frames that cannot be read are left out and counted, or end the video; %(default)s",
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, ...; %(default)s")
    parser.add_argument("--amp", action="store_true", help="run the model in bfloat16")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="leave out videos that are done, and go on with the one that was begun",
    )
    parser.add_argument("--show", action="store_true", help="show the overlay in a window")
    add_override_argument(parser)
    args = parser.parse_args(argv)
    if args.boxes_only and args.png:
        parser.error("--png needs masks; leave out --boxes-only")
    if args.no_video and not (args.json or args.csv or args.png or args.html or args.show):
        parser.error("--no-video needs one of --json, --csv, --png, --html and --show")
    return args


def plan(args: argparse.Namespace) -> dict[str, dict[str, Path]]:
    """Videos and the paths of their results, those of this process of several.

    Raises:
        UserInputError: There is no video, or its results cannot be written.
    """
    kinds = [] if args.no_video else ["mp4"]
    kinds += [kind for kind in ("json", "csv", "png", "html") if getattr(args, kind)]
    videos, left_out = list_videos(args.inputs)
    if left_out:
        names = ", ".join(left_out[:5]) + ", ..." * (len(left_out) > 5)
        warn_user(f"{len(left_out)} files that are no videos are left out: {names}")
    if args.out.suffix.lower() == ".mp4":
        if len(videos) > 1:
            raise UserInputError(
                f"--out {args.out}: names one file for {len(videos)} videos; give a folder"
            )
        stems = [args.out.with_suffix("")]
    else:
        stems = [args.out / stem for stem in result_stems(videos)]
    check_output_folder(stems[0].parent, "--out")
    pairs = zip(videos, stems, strict=True)
    jobs = {video: result_paths(stem, kinds) for video, stem in pairs}
    for video, paths in jobs.items():
        for path in paths.values():
            if Path(video).exists() and path.exists() and path.samefile(video):
                raise UserInputError(f"--out: {path} is the input itself; choose another place")
    rank, count = process_rank(), int(os.environ.get("WORLD_SIZE", "1"))
    return dict(list(jobs.items())[rank::count])


class Progress:
    """Progress bar of a video, and its window.

    Args:
        video: Path or number of the video.
        show: Whether frames are shown.
    """

    def __init__(self, video: str, show: bool) -> None:
        self.name = Path(printable(video)).name
        self.show = show
        self.bar = tqdm(
            desc=self.name, unit=" frames", mininterval=1.0, disable=process_rank() != 0
        )
        self.start, self.count = time.monotonic(), 0

    def __call__(self, results: FrameResults, source: FrameSource) -> None:
        """Count a frame, and show it."""
        if self.bar.total is None and source.num_frames:
            self.bar.total = source.num_frames
        if results.index and not self.count:
            self.bar.write(f"{printable(source.name)}: goes on at frame {results.index}")
            self.bar.initial = self.bar.n = results.index
        self.count += 1
        self.bar.update()
        if self.show and results.image is not None:
            overlay = draw_instances(results.image, results)
            cv2.imshow(self.name, cv2.cvtColor(overlay, cv2.COLOR_RGB2BGR))
            cv2.waitKey(1)

    def speed(self) -> float:
        """Frames per second since the beginning, with all that was not counting frames."""
        return self.count / (time.monotonic() - self.start)

    def finish(self) -> None:
        """Show that the video is done; how long it would be was not more than an estimate."""
        self.bar.total = self.bar.n
        self.close()

    def close(self) -> None:
        """Leave the last state of the bar."""
        self.bar.close()


def require_windows() -> None:
    """Find out, before any long work, whether OpenCV can show windows.

    Raises:
        UserInputError: It cannot.
    """
    build = cv2.getBuildInformation()
    if re.search(r"GUI:\s+NONE", build):
        raise UserInputError(
            "--show: this OpenCV cannot open windows; install opencv-python in place of "
            "opencv-python-headless"
        )


def report(video: str, summary: Summary, speed: float) -> None:
    """Print what became of a video, and what it cost."""
    skipped = f", {summary.unreadable} unreadable frames skipped" if summary.unreadable else ""
    skipped += f", {summary.ends_early}" if summary.ends_early else ""
    written = printable(", ".join(map(str, summary.written)))
    gpu = ""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        gpu = f", GPU memory up to {torch.cuda.max_memory_allocated() / 1e6:.0f} MB"
    found = f"{summary.num_frames} frames{skipped}, {summary.num_instances} instances"
    print(
        f"{printable(video)}: {found}, {speed:.1f} frames/s{gpu}; {written}",
        flush=True,
    )


@report_user_errors()
def main(argv: list[str] | None = None) -> int:
    """Predict the videos; bad input ends the program with one line and exit status 2.

    Of several videos, one that cannot be read is reported and left out.
    """
    args = parse_args(argv)
    jobs = plan(args)
    if args.show:
        require_windows()
    if args.resume:
        done = [video for video, paths in jobs.items() if all(p.exists() for p in paths.values())]
        for video in done:
            print(f"{printable(video)}: done before", flush=True)
            del jobs[video]
    inferencer = VISInferencer(
        args.model,
        args.weights,
        args.device,
        window=args.window,
        overlap=args.overlap,
        latency=args.latency,
        score_thr=args.score_thr,
        boxes_only=args.boxes_only,
        amp=args.amp,
        broken_frames=args.broken_frames,
        allow_unsafe=args.allow_unsafe_checkpoint,
    )
    class_ids = chosen_classes(args.classes, inferencer)
    failures = 0
    for video, paths in jobs.items():
        progress = Progress(video, args.show)
        try:
            summary = predict_to_files(
                inferencer, video, paths, class_ids, progress, resume=args.resume
            )
            progress.finish()
        except UserInputError as error:
            if len(jobs) == 1:
                raise
            progress.close()
            print(f"error: {error}", file=sys.stderr, flush=True)
            failures += 1
            continue
        except KeyboardInterrupt:
            progress.close()
            print(f"{printable(video)}: interrupted; --resume goes on with it", file=sys.stderr)
            return INTERRUPTED
        finally:
            progress.close()
        report(video, summary, progress.speed())
    if failures:
        raise UserInputError(f"{failures} of {len(jobs)} videos could not be read, see above")
    return 0


def chosen_classes(names: list[str] | None, inferencer: VISInferencer) -> list[int] | None:
    """Numbers of the classes that are named.

    Raises:
        UserInputError: The model does not know a class.
    """
    if names is None:
        return None
    for name in names:
        if name not in inferencer.classes:
            raise UserInputError(
                f"--classes {name}: the model does not know it; it knows "
                f"{', '.join(inferencer.classes)}"
            )
    return [list(inferencer.classes).index(name) for name in names]


if __name__ == "__main__":
    sys.exit(main())
