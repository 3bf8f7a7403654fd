"""What the command for videos writes is drawn, evaluated and trained on by the other commands."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from mmttsrn.datasets.synthetic_scenes import draw_object, render_clip
from mmttsrn.visualization.video_io import Mp4Writer, write_frame

MODEL = ("--model", "ttsrn-m2f_tiny_shapes", "--device", "cpu", "--score-thr", "0.1")
T = 9


@pytest.fixture(params=["video file", "folder of images", "folder of turned photos"])
def source(request, tmp_path: Path) -> Path:
    """Two moving shapes, in a folder ``videos``."""
    rng = np.random.default_rng(5)
    objects = [draw_object(rng, label, T, (96, 160), stays=True) for label in (0, 3)]
    frames = render_clip(objects, T, (96, 160), rng)[0][..., ::-1]
    if request.param == "folder of images":
        for number, frame in enumerate(frames):
            write_frame(tmp_path / "videos" / "clip" / f"{number}.png", frame)
        return tmp_path / "videos" / "clip"
    if request.param == "folder of turned photos":
        (tmp_path / "videos" / "clip").mkdir(parents=True)
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 6  # a quarter turn to the right makes it upright
        for number, frame in enumerate(frames):
            photo = Image.fromarray(np.rot90(frame))
            photo.save(tmp_path / "videos" / "clip" / f"{number}.jpg", exif=exif, quality=95)
        return tmp_path / "videos" / "clip"
    path = tmp_path / "videos" / "clip.mp4"
    with Mp4Writer(path, fps=10) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def test_results_are_drawn_evaluated_and_trained_on(run_tool, source: Path, tmp_path: Path) -> None:
    out, found = tmp_path / "out", tmp_path / "out" / "clip.json"
    command = ("inference.py", source, *MODEL, "--out", out, "--json", "--no-video")
    assert run_tool(*command)[0] == 0
    content = json.loads(found.read_text())
    assert len(content["annotations"]) >= 2
    names = content["videos"][0]["file_names"]
    assert len(names) == T
    assert names[0].startswith(f"{source.name}/")

    numbers = out / "numbers.json"
    command = ("analysis_tools/eval_vis.py", found, found, "--out", numbers)
    assert run_tool(*command)[0] == 0
    assert json.loads(numbers.read_text())["stats"]["mAP"] == pytest.approx(1.0)

    drawing = (found, found, "--img-root", source.parent, "--score-thr", "0")
    command = ("visualization/overlay_results.py", *drawing, "--out", out / "overlays")
    assert run_tool(*command)[0] == 0
    (overlay,) = (out / "overlays").rglob("*.mp4")
    assert cv2.VideoCapture(str(overlay)).get(cv2.CAP_PROP_FRAME_COUNT) == T
    command = ("visualization/html_report.py", *drawing, "--out", out / "pages")
    assert run_tool(*command)[0] == 0
    (page,) = (out / "pages").rglob("*.html")
    for annotation in content["annotations"]:
        assert f"#{annotation['id']}" in page.read_text()

    settings = (
        f"train_dataloader.dataset.ann_file={found}",
        f"train_dataloader.dataset.data_root={tmp_path}",
        "train_dataloader.dataset.data_prefix.img_path=videos",
        "train_dataloader.batch_size=1",
        "train_dataloader.num_workers=0",
        "train_dataloader.persistent_workers=False",
        "train_cfg.max_iters=2",
        "val_cfg=None",
        "val_dataloader=None",
        "val_evaluator=None",
    )
    command = ("train.py", "ttsrn-m2f_tiny_shapes", "--work-dir", tmp_path / "run")
    status, _, errors = run_tool(*command, "--cfg-options", *settings)
    assert status == 0, errors
    assert (tmp_path / "run" / "iter_2.pth").is_file()
