"""Generates the moving-shapes data set in the official YouTube-VIS format."""

import argparse
import time

from mmttsrn.cli.user_errors import ArgumentParser, report_user_errors
from mmttsrn.datasets.synthetic import write_moving_shapes
from mmttsrn.errors import input_errors, printable


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("out_dir", help="folder to write, e.g. data/moving_shapes")
    parser.add_argument("--train-clips", type=int, default=16, help="clips of the training split")
    parser.add_argument("--val-clips", type=int, default=4, help="clips of the validation split")
    parser.add_argument("--frames", type=int, default=12, help="frames per clip")
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        default=(96, 160),
        metavar=("HEIGHT", "WIDTH"),
        help="frame size in pixels",
    )
    parser.add_argument(
        "--max-objects", type=int, default=4, help="clips hold 1, 2, ... up to this many objects"
    )
    parser.add_argument("--seed", type=int, default=0, help="same seed, same data")
    return parser.parse_args()


@report_user_errors()
def main() -> None:
    """Write the data set."""
    args = parse_args()
    start = time.monotonic()
    with input_errors(args.out_dir):
        write_moving_shapes(
            args.out_dir,
            train_clips=args.train_clips,
            val_clips=args.val_clips,
            num_frames=args.frames,
            size=tuple(args.size),
            max_objects=args.max_objects,
            seed=args.seed,
        )
    print(
        f"wrote {args.train_clips} training and {args.val_clips} validation clips of"
        f" {args.frames} frames to {printable(args.out_dir)} in {time.monotonic() - start:.1f} s"
    )


if __name__ == "__main__":
    main()
