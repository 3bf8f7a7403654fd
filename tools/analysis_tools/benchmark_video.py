"""Compares speed and peak memory of tools/inference.py between models, options and lengths.

Each run is a process of its own that decodes the video, predicts it and writes a table of all
instances. The video is repeated to the wanted length. Frames per second are those between the two
lengths, without the start of the program; with one length they include it.
"""

import argparse
import re
import shlex
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from mmttsrn.cli.peak_memory import peak_memory
from mmttsrn.cli.user_errors import report_user_errors
from mmttsrn.formats.videos import open_source
from mmttsrn.visualization.video_io import Mp4Writer

INFERENCE = Path(__file__).resolve().parents[1] / "inference.py"
FPS = 30.0


def repeat_video(source: str, path: Path, length: int, height: int | None) -> None:
    """Write the first ``length`` frames of a video that goes back and forth."""
    frames: list[np.ndarray] = []
    for frame in open_source(source):
        scale = (height or frame.shape[0]) / frame.shape[0]
        size = round(frame.shape[1] * scale), round(frame.shape[0] * scale)
        frames.append(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
        if len(frames) == length:
            break
    period = [*frames, *frames[-2:0:-1]]
    with Mp4Writer(path, FPS) as writer:
        for number in range(length):
            writer.write(period[number % len(period)])


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("video", help="any source of tools/inference.py")
    parser.add_argument(
        "--models", nargs="+", default=["ttsrn-m2f_tiny_shapes"], help="released models or configs"
    )
    parser.add_argument(
        "--options", nargs="+", default=[""], help='sets to compare, such as "" " --boxes-only"'
    )
    parser.add_argument("--frames", type=int, nargs="+", default=[100, 500], help="lengths")
    parser.add_argument("--height", type=int, help="resize the video first")
    return parser.parse_args()


@report_user_errors()
def main() -> None:
    """Measure and print."""
    args = parse_args()
    lengths = sorted(args.frames)
    with tempfile.TemporaryDirectory() as name:
        videos = {length: Path(name) / f"{length}.mp4" for length in lengths}
        for length, path in videos.items():
            repeat_video(args.video, path, length, args.height)
        for model in args.models:
            for options in args.options:
                measure(videos, model, shlex.split(options), Path(name) / "out")


def measure(videos: dict[int, Path], model: str, options: list[str], out: Path) -> None:
    """Run a model on all lengths and print a line for each, then the ratio of the last two."""
    print(f"{model} {' '.join(options)}".strip(), flush=True)
    runs: list[tuple[int, float, float]] = []
    for length, path in videos.items():
        command = [sys.executable, str(INFERENCE), str(path), "--model", model, "--out", str(out)]
        peak, seconds, output = peak_memory([*command, "--csv", "--no-video", *options])
        runs.append((length, peak, seconds))
        found = re.search(r", GPU memory up to \d+ MB", output)
        gpu = found[0] if found else ""
        print(f"{length:8} frames: peak {peak:7.0f} MB, {seconds:7.1f} s{gpu}", flush=True)
    for (few, low, short), (many, high, long) in pairwise(runs):
        speed = f"{(many - few) / (long - short):8.2f}" if long > short else "too short to tell"
        print(f"{speed} frames/s; memory x {high / low:.2f}", flush=True)
    if len(runs) == 1:
        print(f"{runs[0][0] / runs[0][2]:8.2f} frames/s with the start", flush=True)


if __name__ == "__main__":
    main()
