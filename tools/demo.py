"""The whole way on one command: data, training, evaluation, results and overlay videos.

Without --data a small set of moving shapes is generated. With it, the folder of a data set in
YouTube-VIS format is used. After Ctrl-C or SIGTERM the same command goes on with the training.
"""

import argparse
import copy
import hashlib
import json
import runpy
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # before the imports, which fail without what is checked
    runpy.run_path(str(Path(__file__).resolve().parents[0] / "setup" / "check_packages.py"))

from mmengine.config import Config

from mmttsrn.apis.config_file import load_config
from mmttsrn.checkpoints import unfinished_run
from mmttsrn.checkpoints.host_loading import safe_host_loading
from mmttsrn.checkpoints.run_checkpoints import latest_readable
from mmttsrn.cli.command_line import build_runner
from mmttsrn.cli.signals import run_test
from mmttsrn.cli.signals import train as train_until_asked_to_stop
from mmttsrn.cli.user_errors import ArgumentParser, report_user_errors, seed
from mmttsrn.datasets.synthetic import write_moving_shapes
from mmttsrn.errors import UserInputError, input_errors, printable
from mmttsrn.formats.frame_folder import FrameFolder
from mmttsrn.formats.ground_truth import GroundTruth, read_ground_truth
from mmttsrn.formats.results import read_results
from mmttsrn.visualization.render import render_videos, require_frames, videos_to_draw

CONFIG_KEYS = ("model", "train_dataloader", "test_dataloader", "test_evaluator", "visualizer")
GENERATED_DATA: dict[str, Any] = {
    "train_clips": 400, "val_clips": 40, "num_frames": 12, "size": [96, 160], "max_objects": 3
}  # fmt: skip
QUICK_DATA: dict[str, Any] = {
    "train_clips": 2, "val_clips": 1, "num_frames": 5, "size": [64, 96], "max_objects": 2
}  # fmt: skip
QUICK_ITERATIONS = 3

# Where data sets in YouTube-VIS format keep their parts, the most specific place first.
JSON_PLACES = ("{}.json", "annotations/{}.json", "{}/instances.json", "annotations_{}.json",
               "instances_{}.json", "annotations/instances_{}.json")  # fmt: skip
WHOLE_SET_PLACES = ("instances.json", "annotations.json", "annotations/instances.json")
IMAGE_PLACES = ("{}/JPEGImages", "JPEGImages", "{}_all_frames/JPEGImages", "{}", "images", ".")
HELD_OUT_NAMES = ("valid", "val")

MAX_OVERLAYS = 8
SCORE_THR = 0.3


@dataclass
class Split:
    """Training or held-out clips.

    Attributes:
        title: What they are called in the output.
        ann_file: Official YouTube-VIS json.
        img_root: Folder that its file_names are relative to.
        truth: What the json holds.
    """

    title: str
    ann_file: Path
    img_root: Path
    truth: GroundTruth


@input_errors("config")
def configure(config: str, train: Split, args: argparse.Namespace) -> Config:
    """Return the config of the training run: that of the file, set to this data and work folder."""
    cfg = load_config(config, required_keys=CONFIG_KEYS)
    cfg.work_dir = args.work_dir
    cfg.randomness = {"seed": args.seed}
    is_merged = cfg.train_dataloader.dataset.get("class_agnostic", False)
    cfg.model.head.num_classes = 1 if is_merged else len(train.truth.categories)
    _set_data(cfg.train_dataloader, train, train)
    # The clips are tested after the training.
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.quick:
        cfg.train_cfg = {"type": "IterBasedTrainLoop", "max_iters": QUICK_ITERATIONS}
        cfg.param_scheduler = None
        cfg.default_hooks.logger.interval = 1
    return cfg


def configure_test(cfg: Config, train: Split, split: Split, checkpoint: str) -> Config:
    """Return the config that tests a checkpoint on a split."""
    cfg = copy.deepcopy(cfg)
    cfg.load_from, cfg.resume = checkpoint, False
    # MMEngine keeps what has a name: a name of its own gives this run its own.
    cfg.experiment_name = cfg.visualizer.name = "demo_test"
    _set_data(cfg.test_dataloader, split, train)
    cfg.test_evaluator.outfile_prefix = str(Path(cfg.work_dir) / "results")
    return cfg


def _set_data(dataloader: Config, split: Split, train: Split) -> None:
    dataloader.dataset.update(
        data_root="", ann_file=str(split.ann_file), data_prefix={"img_path": str(split.img_root)}
    )
    if not dataloader.dataset.get("class_agnostic", False):
        classes = list(train.truth.categories.values())  # in the order of labels
        dataloader.dataset.metainfo = {"classes": classes}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", help="folder of your data set in YouTube-VIS format")
    parser.add_argument("--work-dir", default="work_dirs/demo", help="folder to write to")
    parser.add_argument("--config", default="ttsrn-m2f_tiny_shapes", help="config to train")
    parser.add_argument("--seed", type=seed, default=0, help="of generated data and training")
    parser.add_argument(
        "--quick", action="store_true", help="a few iterations, to see that every step works"
    )
    return parser.parse_args(argv)


def generate_data(folder: Path, seed: int, quick: bool) -> None:
    """Generate the moving shapes, unless they are there with the same settings."""
    settings = {**(QUICK_DATA if quick else GENERATED_DATA), "seed": seed}
    record = folder / "settings.json"
    if record.is_file() and record.read_text() == json.dumps(settings):
        print(f"data: moving shapes in {printable(folder)} are reused", flush=True)
        return
    print(f"data: generating moving shapes in {printable(folder)}", flush=True)
    record.unlink(missing_ok=True)
    write_moving_shapes(folder, **settings)
    record.write_text(json.dumps(settings))


def find_splits(folder: Path) -> tuple[Split, Split | None]:
    """Find training and held-out clips in the folder of a data set.

    Raises:
        UserInputError: There is no json to train on, or no images of a json.
    """
    train_places = [place.format("train") for place in JSON_PLACES] + list(WHOLE_SET_PLACES)
    held_out_places = [place.format(name) for name in HELD_OUT_NAMES for place in JSON_PLACES]
    train_json = _first_file(folder, train_places)
    if train_json is None:
        raise UserInputError(f"--data {folder}: expected one of {', '.join(train_places)}")
    train = _load_split("training", train_json, folder, ("train",))
    held_out_json = _first_file(folder, held_out_places)
    if held_out_json is None:
        looked = f"looked for {', '.join(held_out_places)}"
        print(f"note: no held-out clips in {printable(folder)} ({looked}), so the results are "
              "those of the training clips")  # fmt: skip
        return train, None
    return train, _load_split("held-out", held_out_json, folder, HELD_OUT_NAMES)


def _first_file(folder: Path, places: list[str]) -> Path | None:
    return next((folder / place for place in places if (folder / place).is_file()), None)


def _load_split(title: str, ann_file: Path, folder: Path, names: tuple[str, ...]) -> Split:
    truth = read_ground_truth(ann_file, need_frames=True)
    videos = list(truth.videos.values())
    first_frame = videos[0].file_names[0]
    places = list(dict.fromkeys(place.format(name) for place in IMAGE_PLACES for name in names))
    for place in places:
        if FrameFolder(folder / place).find(first_frame):
            require_frames(videos, folder / place)
            return Split(title, ann_file, folder / place, truth)
    raise UserInputError(
        f"{ann_file}: frame {first_frame} not found in {folder}; looked in {', '.join(places)}"
    )


def check_classes(train: Split, tested: Split) -> None:
    """Refuse before the training what could not be tested after it."""
    missing = set(train.truth.categories.values()) - set(tested.truth.categories.values())
    if missing:
        raise UserInputError(
            f"{tested.ann_file}: categories: expected those of {train.ann_file}, which has "
            f"{', '.join(sorted(missing))}, too"
        )


def remove_old_outputs(work_dir: Path) -> None:
    """Remove what an earlier run wrote, so that nothing in the folder is from another model."""
    for pattern in ("results.json", "results.zip", "overlay/*.mp4"):
        for path in work_dir.glob(pattern):
            path.unlink()


def train_model(cfg: Config, ann_file: Path) -> str:
    """Train, or go on where the same training was stopped; return the path of the checkpoint."""
    settings = {
        "config": hashlib.sha256(cfg.pretty_text.encode()).hexdigest(),
        "annotations": hashlib.sha256(ann_file.read_bytes()).hexdigest(),
    }
    begun = unfinished_run.begin(Path(cfg.work_dir), settings)
    if begun is not None:
        print(f"training: goes on from {printable(begun)}", flush=True)
        cfg.load_from, cfg.resume = str(begun), True
    print(f"training: log and checkpoint go to {printable(cfg.work_dir)}", flush=True)
    train_until_asked_to_stop(build_runner(cfg), "the same command")
    checkpoint, _ = latest_readable(Path(cfg.work_dir))
    assert checkpoint is not None
    return str(checkpoint)


def evaluate(cfg: Config, train: Split, split: Split, checkpoint: str) -> float | None:
    """Test a checkpoint on a split and write results and overlays; return mask AP, if any."""
    print(f"testing: {split.title} clips", flush=True)
    metrics = run_test(build_runner(configure_test(cfg, train, split, checkpoint)))
    results_file = Path(cfg.work_dir) / "results.json"
    videos = videos_to_draw(split.truth, read_results(results_file, split.truth), SCORE_THR)
    shown = list(videos.values())[:MAX_OVERLAYS]
    if not any(drawn.predicted for drawn in shown):
        print(f"note: no instance in the {split.title} clips reaches score {SCORE_THR}, so none is "
              "drawn")  # fmt: skip
    out_dir, has_truth = Path(cfg.work_dir) / "overlay", split.truth.has_sequences
    for _ in render_videos(shown, split.img_root, out_dir, with_ground_truth=has_truth):
        pass
    return metrics.get("youtube_vis/mAP")


def summary(
    work_dir: str, checkpoint: str, split: Split, ap: float | None, seconds: float
) -> Iterator[str]:
    """Return the last lines: where everything is, how good it is and how long it took."""
    results = Path(work_dir) / "results"
    shown = f"{ap:.3f}" if ap is not None else "none, they have no ground truth"
    yield "-" * 80
    yield f"demo finished in {int(seconds // 60)} min {int(seconds % 60)} s"
    yield f"checkpoint                 {checkpoint}"
    yield f"{f'results, {split.title} clips':<26} {results}.json, to submit: {results}.zip"
    yield f"{f'overlays, {split.title} clips':<26} {Path(work_dir) / 'overlay'}/*.mp4"
    yield f"{f'mask AP, {split.title} clips':<26} {shown}"


def run(args: argparse.Namespace) -> None:
    """Run the demo."""
    start = time.monotonic()
    work_dir = Path(args.work_dir)
    folder = Path(args.data) if args.data else work_dir / "data"
    if args.data is None:
        generate_data(folder, args.seed, args.quick)
    train, held_out = find_splits(folder)
    tested = held_out or train
    check_classes(train, tested)
    cfg = configure(args.config, train, args)
    remove_old_outputs(work_dir)
    checkpoint = train_model(cfg, train.ann_file)
    ap = evaluate(cfg, train, tested, checkpoint)
    for line in summary(args.work_dir, checkpoint, tested, ap, time.monotonic() - start):
        print(printable(line))
    unfinished_run.finish(work_dir)


@report_user_errors()
def main(argv: list[str] | None = None) -> None:
    """Run the demo; bad input ends it with one line and exit status 2, Ctrl-C with 130."""
    args = parse_args(argv)
    with safe_host_loading():
        run(args)


if __name__ == "__main__":
    main()
