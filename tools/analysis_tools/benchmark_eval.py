"""Compares this package's evaluator with MMDetection's copy of the official program, in one run.

A case like YouTube-VIS is generated: videos of 720x1280 with up to four objects, and for each
several detections of varied quality. Both programs evaluate it in turn, each in a fresh process.
Their arrays have to be identical; printed are the medians of their times, the ratios round by
round, and the memory that each takes beyond its imports.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as mask_utils

from mmttsrn.cli.user_errors import report_user_errors

HEIGHT, WIDTH = 720, 1280
NUM_CATEGORIES = 40
NUM_VERTICES = 96


def generate_case(folder: Path, num_videos: int, seed: int) -> None:
    """Write ``gt.json``, with uncompressed masks like the official files, and ``results.json``."""
    rng = np.random.default_rng(seed)
    videos: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for video_id in range(1, num_videos + 1):
        length = int(rng.integers(20, 37))
        names = [f"{video_id}/{t:05}.jpg" for t in range(length)]
        videos.append({"id": video_id, "width": WIDTH, "height": HEIGHT, "length": length,
                       "file_names": names})  # fmt: skip
        main_category = int(rng.integers(1, NUM_CATEGORIES + 1))
        for _ in range(int(rng.choice([1, 2, 3, 4], p=[0.4, 0.3, 0.2, 0.1]))):
            path = _random_path(rng, length)
            category = main_category if rng.random() < 0.8 else _any_category(rng)
            masks = _draw(path)
            annotations.append(_annotation(len(annotations) + 1, video_id, category, masks))
            for _ in range(int(rng.integers(4, 10))):
                guess = category if rng.random() < 0.75 else _any_category(rng)
                results.append(_result(rng, video_id, guess, _disturbed(rng, path)))
        for _ in range(int(rng.integers(0, 3))):  # objects that are not there
            path = _random_path(rng, length)
            results.append(_result(rng, video_id, main_category, path))
    categories = [{"id": i, "name": f"class {i}"} for i in range(1, NUM_CATEGORIES + 1)]
    truth = {"videos": videos, "categories": categories, "annotations": annotations}
    (folder / "gt.json").write_text(json.dumps(truth))
    (folder / "results.json").write_text(json.dumps(results))
    size = sum((folder / name).stat().st_size for name in ("gt.json", "results.json"))
    frames = sum(video["length"] for video in videos)
    print(f"case: {len(videos)} videos, {frames} frames, {len(annotations)} objects, "
          f"{len(results)} detections, {size / 1e6:.0f} MB of json", flush=True)  # fmt: skip


def _any_category(rng: np.random.Generator) -> int:
    return int(rng.integers(1, NUM_CATEGORIES + 1))


def _random_path(rng: np.random.Generator, length: int) -> dict[str, Any]:
    """Centre, speed, radius and outline of an object that moves for ``length`` frames."""
    return {
        "center": rng.uniform([150, 120], [WIDTH - 150, HEIGHT - 120]),
        "speed": rng.normal(0, 5, 2),
        "radius": float(rng.uniform(50, 190)),
        "phases": rng.uniform(0, 2 * np.pi, 3),
        "length": length,
        "absent": np.zeros(length, bool),
    }


def _disturbed(rng: np.random.Generator, path: dict[str, Any]) -> dict[str, Any]:
    """Return the path as a detection of good, middling or poor quality follows it."""
    spread = rng.choice([0.03, 0.12, 0.5]) * path["radius"]
    return {
        **path,
        "center": path["center"] + rng.normal(0, spread, 2),
        "speed": path["speed"] + rng.normal(0, spread / 20, 2),
        "radius": path["radius"] * float(rng.lognormal(0, spread / path["radius"])),
        "absent": rng.random(path["length"]) < 0.05,
    }


def _draw(path: dict[str, Any]) -> list[dict[str, Any] | None]:
    """One compressed RLE per frame."""
    angles = np.linspace(0, 2 * np.pi, NUM_VERTICES, endpoint=False)
    masks: list[dict[str, Any] | None] = []
    for t in range(path["length"]):
        first, second, third = path["phases"] + 0.1 * t
        radii = path["radius"] * (
            1 + 0.15 * np.sin(3 * angles + first) + 0.08 * np.sin(7 * angles + second)
            + 0.04 * np.sin(15 * angles + third)
        )  # fmt: skip
        center = path["center"] + t * path["speed"]
        outline = center[:, None] + radii * [1.3 * np.cos(angles), np.sin(angles)]
        outline = np.clip(outline, 0, [[WIDTH], [HEIGHT]]).T.ravel().tolist()
        rle = mask_utils.frPyObjects([outline], HEIGHT, WIDTH)[0]
        visible = not path["absent"][t] and mask_utils.area(rle) > 0
        masks.append(rle if visible else None)
    return masks


def _annotation(
    identifier: int, video_id: int, category: int, masks: list[dict[str, Any] | None]
) -> dict[str, Any]:
    areas = [mask and int(mask_utils.area(mask)) for mask in masks]
    boxes = [mask and mask_utils.toBbox(mask).tolist() for mask in masks]
    return {"id": identifier, "video_id": video_id, "category_id": category, "iscrowd": 0,
            "areas": areas, "bboxes": boxes,
            "segmentations": [mask and _uncompressed(mask) for mask in masks]}  # fmt: skip


def _uncompressed(mask: dict[str, Any]) -> dict[str, Any]:
    pixels = mask_utils.decode(mask).ravel(order="F")
    changes = np.flatnonzero(np.diff(pixels, prepend=0))
    counts = np.diff(changes, prepend=0, append=len(pixels))
    return {"size": mask["size"], "counts": counts.tolist()}


def _result(
    rng: np.random.Generator, video_id: int, category: int, path: dict[str, Any]
) -> dict[str, Any]:
    masks = [mask and {**mask, "counts": mask["counts"].decode()} for mask in _draw(path)]
    return {"video_id": video_id, "category_id": category, "score": round(float(rng.random()), 4),
            "segmentations": masks}  # fmt: skip


def run_ours(folder: Path) -> dict[str, Any]:
    """Evaluate with this package."""
    from mmttsrn.evaluation.ytvis import evaluate
    from mmttsrn.formats.ground_truth import read_ground_truth
    from mmttsrn.formats.results import read_results

    before = peak_memory()
    clock = Clock()
    truth = read_ground_truth(folder / "gt.json")
    results = read_results(folder / "results.json", truth)
    clock.lap("read")
    evaluation = evaluate(truth, results)
    assert len(evaluation.stats) == 12
    clock.lap("evaluate")
    laps = {**clock.laps, "all": sum(clock.laps.values())}
    peak = peak_memory()
    curves = evaluation.curves.over(truth.categories)
    np.savez(folder / "ours.npz", precision=curves.precision, recall=curves.recall)
    return {**laps, "imports": before, "peak": peak}


def run_mmdet(folder: Path) -> dict[str, Any]:
    """Evaluate with MMDetection's copy of the official program."""
    import contextlib
    import io

    from mmdet.evaluation.functional import YTVIS, YTVISeval

    before = peak_memory()
    clock = Clock()
    with contextlib.redirect_stdout(io.StringIO()):
        content = json.loads((folder / "gt.json").read_text())
        results = json.loads((folder / "results.json").read_text())
        clock.lap("read")
        truth = YTVIS(content)
        evaluator = YTVISeval(truth, truth.loadRes(results), "segm")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
        clock.lap("evaluate")
    laps = {**clock.laps, "all": sum(clock.laps.values())}
    peak = peak_memory()
    arrays = {name: evaluator.eval[name] for name in ("precision", "recall")}
    np.savez(folder / "mmdet.npz", **arrays)
    return {**laps, "imports": before, "peak": peak}


class Clock:
    """Times the phases of a program."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """End a phase."""
        now = time.perf_counter()
        self.laps[name] = now - self._last
        self._last = now


def peak_memory() -> float:
    """Highest memory of this process until now, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()  # Linux only
    [line] = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024 / 1e6


PROGRAMS = {"ours": run_ours, "mmdet": run_mmdet}


def run_program(name: str, folder: Path) -> dict[str, Any]:
    """Run one of the programs in a process of its own."""
    command = [sys.executable, "-W", "ignore", __file__, "--program", name, "--folder", str(folder)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def compare(folder: Path, rounds: int) -> None:
    """Run the programs in turn and print the comparison."""
    ours, mmdet = [], []
    for number in range(1, rounds + 1):
        mmdet.append(run_program("mmdet", folder))
        ours.append(run_program("ours", folder))
        print(f"round {number} of {rounds}: mmdet {mmdet[-1]['all']:.2f} s, "
              f"mmttsrn {ours[-1]['all']:.2f} s", flush=True)  # fmt: skip
    with np.load(folder / "ours.npz") as a, np.load(folder / "mmdet.npz") as b:
        for name in ("precision", "recall"):
            if not np.array_equal(a[name], b[name]):
                sys.exit(f"the {name} arrays differ by up to {np.abs(a[name] - b[name]).max()}")
    print("precision and recall arrays: identical\n")
    print(f"{'median of ' + str(rounds):<34}{'mmdet':>10}{'mmttsrn':>10}  ratio, median (range)")
    labels = {
        "read": "read and check json (s)",
        "evaluate": "decode, evaluate, accumulate (s)",
        "all": "all, from paths to numbers (s)",
        "taken": "memory beyond the imports (MB)",
        "peak": "memory of the process (MB)",
    }
    for run in (*mmdet, *ours):
        run["taken"] = run["peak"] - run["imports"]
    for key, label in labels.items():
        _print_row(label, [run[key] for run in mmdet], [run[key] for run in ours])


def _print_row(label: str, theirs: list[float], ours: list[float]) -> None:
    ratios = [a / b for a, b in zip(theirs, ours, strict=True)]
    medians = [statistics.median(values) for values in (theirs, ours, ratios)]
    print(f"{label:<34}{medians[0]:>10.2f}{medians[1]:>10.2f}"
          f"  {medians[2]:.1f} ({min(ratios):.1f} to {max(ratios):.1f})")  # fmt: skip


@report_user_errors()
def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--videos", type=int, default=300, help="videos of the generated case")
    parser.add_argument("--rounds", type=int, default=5, help="how often both programs run")
    parser.add_argument("--seed", type=int, default=0, help="of the generated case")
    parser.add_argument(
        "--folder", type=Path, help="keep the case in this folder, or take it there"
    )
    parser.add_argument("--program", choices=PROGRAMS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.program:
        print(json.dumps(PROGRAMS[args.program](args.folder)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "results.json").is_file():
            generate_case(folder, args.videos, args.seed)
        compare(folder, args.rounds)


if __name__ == "__main__":
    main()
