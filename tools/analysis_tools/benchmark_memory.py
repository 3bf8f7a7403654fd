"""Compares the peak memory of testing videos of two lengths, each in a process of its own.

A video with a moving square is generated; ``tools/test.py`` runs a model with random weights on its
first frames and on all of them. Clips are always joined, so that there are as many sequences as the
model has instances, and results, RLE and evaluation are those of a real run.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch

from mmttsrn.apis.building import build_from_config
from mmttsrn.apis.config_file import load_config
from mmttsrn.cli.peak_memory import peak_memory
from mmttsrn.cli.user_errors import report_user_errors

TEST = Path(__file__).resolve().parents[1] / "test.py"
JOIN_ALWAYS = "model.clip_linker.min_iou=0.0"


def write_video(folder: Path, length: int, size: tuple[int, int], categories: int) -> None:
    """Write the frames; ground truth is left out."""
    for t in range(length):
        frame = np.full((*size, 3), 90, np.uint8)
        frame[size[0] // 4 : size[0] // 2, t % (size[1] // 2) :][:, : size[0] // 4] = (40, 200, 250)
        cv2.imwrite(str(folder / f"{t:05}.jpg"), frame)
    names = [{"id": i + 1, "name": f"class {i}"} for i in range(categories)]
    (folder / "categories.json").write_text(json.dumps(names))


def write_json(folder: Path, length: int, size: tuple[int, int]) -> Path:
    """Write the annotation file of the first frames."""
    files = [f"{t:05}.jpg" for t in range(length)]
    video = {"id": 1, "height": size[0], "width": size[1], "length": length, "file_names": files}
    categories = json.loads((folder / "categories.json").read_text())
    path = folder / f"first_{length}.json"
    path.write_text(json.dumps({"videos": [video], "categories": categories}))
    return path


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("config", nargs="?", default="ttsrn_tiny_shapes", help="config to test")
    parser.add_argument("--frames", type=int, nargs=2, default=(100, 500), metavar=("FEW", "MANY"))
    parser.add_argument("--size", type=int, nargs=2, default=(1080, 1920), metavar=("H", "W"))
    parser.add_argument("--instances", type=int, default=10, help="sequences of the model")
    return parser.parse_args()


@report_user_errors()
def main() -> None:
    """Measure and print."""
    args = parse_args()
    cfg = load_config(args.config)
    cfg.model.head.num_instances, cfg.model.backbone.init_cfg = args.instances, None
    with tempfile.TemporaryDirectory() as name:
        folder, weights = Path(name), Path(name) / "random.pth"
        write_video(folder, max(args.frames), args.size, cfg.model.head.num_classes)
        torch.manual_seed(0)
        torch.save({"state_dict": build_from_config(cfg).state_dict()}, weights)
        peaks = []
        for length in args.frames:
            data = {"data_root": "", "ann_file": write_json(folder, length, args.size),
                    "data_prefix.img_path": folder}  # fmt: skip
            options = [f"test_dataloader.dataset.{key}={value}" for key, value in data.items()]
            options += [JOIN_ALWAYS, f"model.head.num_instances={args.instances}"]
            options += ["model.backbone.init_cfg=None"]
            command = [sys.executable, str(TEST), args.config, str(weights), "--work-dir", name]
            peak, seconds, _ = peak_memory([*command, "--cfg-options", *options])
            peaks.append(peak)
            print(f"{length:6} frames: peak {peak:7.0f} MB, {seconds:6.1f} s", flush=True)
    frames = args.frames[1] - args.frames[0]
    print(f"a frame more: {(peaks[1] - peaks[0]) / frames:.2f} MB; ratio {peaks[1] / peaks[0]:.2f}")


if __name__ == "__main__":
    main()
