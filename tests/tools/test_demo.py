import importlib.util
import json
import os
import signal
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.hooks import Hook

from mmttsrn.checkpoints import load_checkpoint_file
from mmttsrn.datasets.synthetic import CLASSES
from mmttsrn.errors import UserInputError
from mmttsrn.hosts.mmdet import YouTubeVISDataset

TOOL = Path(__file__).parents[2] / "tools" / "demo.py"


@pytest.fixture(scope="module")
def demo():
    spec = importlib.util.spec_from_file_location("demo", TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules["demo"] = module  # where dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def shapes(demo, tmp_path_factory):
    """A generated data set."""
    folder = tmp_path_factory.mktemp("shapes")
    demo.generate_data(folder, seed=0, quick=True)
    return folder


def _write_split(json_path, image_folder, categories=("cat", "dog"), annotated=True):
    """One clip of two frames in which a cat sits still."""
    names = ["clip/00000.jpg", "clip/00001.jpg"]
    for name in names:
        (image_folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(image_folder / name), np.zeros((32, 48, 3), np.uint8))
    rle = {"size": [32, 48], "counts": [10, 5, 32 * 48 - 15]}
    annotation = {"id": 1, "video_id": 1, "category_id": 1, "segmentations": [rle, rle]}
    content = {
        "videos": [{"id": 1, "width": 48, "height": 32, "length": 2, "file_names": names}],
        "categories": [{"id": index, "name": name} for index, name in enumerate(categories, 1)],
        "annotations": [annotation] if annotated else [],
    }
    json_path.parent.mkdir(parents=True, exist_ok=True)
    json_path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("train_json", "train_images", "held_out_json", "held_out_images"),
    [
        ("train.json", "train/JPEGImages", "valid.json", "valid/JPEGImages"),
        ("train/instances.json", "train/JPEGImages", "valid/instances.json", "valid/JPEGImages"),
        ("annotations_train.json", "train", "annotations_valid.json", "valid"),
        ("train.json", "JPEGImages", "val.json", "JPEGImages"),
        ("annotations/train.json", "train/JPEGImages", "annotations/val.json", "val/JPEGImages"),
    ],
)
def test_usual_layouts(demo, tmp_path, train_json, train_images, held_out_json, held_out_images):
    _write_split(tmp_path / train_json, tmp_path / train_images)
    _write_split(tmp_path / held_out_json, tmp_path / held_out_images)
    train, held_out = demo.find_splits(tmp_path)
    assert (train.ann_file, train.img_root) == (tmp_path / train_json, tmp_path / train_images)
    assert held_out.ann_file == tmp_path / held_out_json
    assert held_out.img_root == tmp_path / held_out_images


def test_names_of_windows(demo, tmp_path):
    path = tmp_path / "instances.json"
    _write_split(path, tmp_path / "JPEGImages")
    path.write_text(path.read_text().replace("clip/", "clip\\\\"))
    assert demo.find_splits(tmp_path)[0].img_root == tmp_path / "JPEGImages"


def test_one_json_for_everything(demo, tmp_path, capsys):
    _write_split(tmp_path / "instances.json", tmp_path / "JPEGImages")
    train, held_out = demo.find_splits(tmp_path)
    assert held_out is None
    assert train.ann_file == tmp_path / "instances.json"
    assert "no held-out clips" in capsys.readouterr().out


def test_folder_without_images_lists_where_it_looked(demo, tmp_path):
    _write_split(tmp_path / "train.json", tmp_path / "elsewhere")
    message = r"frame clip/00000\.jpg not found in .*; looked in train/JPEGImages, JPEGImages,"
    with pytest.raises(UserInputError, match=message):
        demo.find_splits(tmp_path)


def test_a_class_that_cannot_be_tested_is_found_before_training(demo, tmp_path):
    for name, categories in (("ok", ("cat", "dog")), ("other", ("cat",))):
        _write_split(tmp_path / name / "train.json", tmp_path / name / "JPEGImages", categories)
    ok, other = (demo.find_splits(tmp_path / name)[0] for name in ("ok", "other"))
    with pytest.raises(UserInputError, match=r"other/train\.json: categories: .* has dog, too"):
        demo.check_classes(ok, other)
    demo.check_classes(ok, ok)


def test_generated_data_is_reused_with_the_same_settings_only(demo, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(
        demo, "write_moving_shapes", lambda folder, **settings: written.append(settings)
    )
    for seed in (0, 0, 1, 1, 0):
        demo.generate_data(tmp_path, seed, quick=True)
    assert [settings["seed"] for settings in written] == [0, 1, 0]


def test_interrupted_generation_is_not_reused(demo, tmp_path, monkeypatch):
    def interrupt(folder, **settings):
        raise KeyboardInterrupt

    demo.generate_data(tmp_path, 0, quick=True)
    with monkeypatch.context() as patch:
        patch.setattr(demo, "write_moving_shapes", interrupt)
        with pytest.raises(KeyboardInterrupt):
            demo.generate_data(tmp_path, 1, quick=True)
    assert not (tmp_path / "settings.json").exists()


def test_config_is_set_to_the_data(demo, tmp_path):
    _write_split(tmp_path / "train.json", tmp_path / "JPEGImages", categories=("cat", "dog", "owl"))
    _write_split(tmp_path / "val.json", tmp_path / "JPEGImages", categories=("owl", "dog", "cat"))
    train, held_out = demo.find_splits(tmp_path)
    args = demo.parse_args(["--work-dir", str(tmp_path / "work"), "--seed", "7"])
    cfg = demo.configure(args.config, train, args)
    assert cfg.model.head.num_classes == 3
    assert cfg.train_dataloader.dataset.ann_file == str(tmp_path / "train.json")
    assert cfg.train_dataloader.dataset.data_prefix == {"img_path": str(tmp_path / "JPEGImages")}
    assert cfg.randomness.seed == 7
    assert cfg.val_dataloader is None
    test_cfg = demo.configure_test(cfg, train, held_out, "checkpoint.pth")
    assert test_cfg.load_from == "checkpoint.pth"
    assert test_cfg.test_dataloader.dataset.ann_file == str(tmp_path / "val.json")
    # Labels are those of the training clips, whatever ids the held-out file uses.
    assert test_cfg.test_dataloader.dataset.metainfo.classes == ["cat", "dog", "owl"]
    assert test_cfg.test_evaluator.outfile_prefix == str(tmp_path / "work" / "results")
    assert cfg.get("load_from") is None


def test_config_with_all_categories_as_one_class(demo, tmp_path):
    _write_split(tmp_path / "train.json", tmp_path / "JPEGImages", categories=("cat", "dog"))
    train, _ = demo.find_splits(tmp_path)
    config = tmp_path / "config.py"
    config.write_text(
        "_base_ = ['mmttsrn::vis/ttsrn_tiny_shapes.py']\n"
        "train_dataloader = dict(dataset=dict(class_agnostic=True))\n"
        "test_dataloader = dict(dataset=dict(class_agnostic=True))\n"
    )
    args = demo.parse_args(["--work-dir", str(tmp_path / "work"), "--config", str(config)])
    cfg = demo.configure(args.config, train, args)
    assert cfg.model.head.num_classes == 1
    assert YouTubeVISDataset(**_arguments(cfg.train_dataloader)).metainfo["classes"] == ("object",)
    cfg = demo.configure_test(cfg, train, train, "checkpoint.pth")
    assert YouTubeVISDataset(**_arguments(cfg.test_dataloader)).metainfo["classes"] == ("object",)


def _arguments(dataloader):
    names = ("ann_file", "data_root", "data_prefix", "class_agnostic", "metainfo")
    return {key: dataloader.dataset[key] for key in names if key in dataloader.dataset}


def _perfect_runner(cfg):
    """A runner whose test gives the ground truth with score 0.9."""

    def test():
        content = json.loads(Path(cfg.test_dataloader.dataset.ann_file).read_text())
        keys = ("video_id", "category_id", "segmentations")
        results = [
            {**{key: annotation[key] for key in keys}, "score": 0.9}
            for annotation in content["annotations"]
        ]
        prefix = cfg.test_evaluator.outfile_prefix
        Path(f"{prefix}.json").write_text(json.dumps(results))
        with zipfile.ZipFile(f"{prefix}.zip", "w") as archive:
            archive.write(f"{prefix}.json", "results.json")
        return {"youtube_vis/mAP": 1.0} if content["annotations"] else {}

    return SimpleNamespace(test=test)


@pytest.fixture
def run(demo, monkeypatch, tmp_path, capsys):
    """Runs the demo without its training; gives exit status and the lines of both streams."""
    monkeypatch.setattr(demo, "train_model", lambda cfg, _: f"{cfg.work_dir}/iter_3.pth")
    monkeypatch.setattr(demo, "build_runner", _perfect_runner)

    def run_demo(*options):
        status = 0
        try:
            demo.main(["--work-dir", str(tmp_path / "work"), "--quick", *options])
        except SystemExit as end:
            status = end.code
        captured = capsys.readouterr()
        return status, captured.out.splitlines(), captured.err.splitlines()

    (tmp_path / "work").mkdir()
    return run_demo


def test_outputs_and_last_lines(run, tmp_path, shapes):
    work_dir = tmp_path / "work"
    for leftover in ("results.zip", "overlay/old.mp4", "mine.json"):
        (work_dir / leftover).parent.mkdir(parents=True, exist_ok=True)
        (work_dir / leftover).touch()
    status, lines, errors = run("--data", str(shapes))
    assert status == 0, errors
    written = {path.relative_to(work_dir).as_posix() for path in work_dir.rglob("*.*")}
    assert written == {"mine.json", "results.json", "results.zip", "overlay/clip_000.mp4"}
    capture = cv2.VideoCapture(str(work_dir / "overlay/clip_000.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 5
    assert capture.get(cv2.CAP_PROP_FRAME_WIDTH) == 2 * 96 * 6  # beside the ground truth
    assert "demo finished in 0 min" in lines[-5]
    assert f"{work_dir}/iter_3.pth" in lines[-4]
    assert f"{work_dir}/results.zip" in lines[-3]
    assert lines[-1].split() == ["mask", "AP,", "held-out", "clips", "1.000"]


def test_held_out_clips_without_ground_truth(run, tmp_path):
    _write_split(tmp_path / "set/train.json", tmp_path / "set/JPEGImages")
    _write_split(tmp_path / "set/valid.json", tmp_path / "set/JPEGImages", annotated=False)
    status, lines, _ = run("--data", str(tmp_path / "set"))
    assert status == 0
    assert "none, they have no ground truth" in lines[-1]
    assert any(line.startswith("note: no instance in the held-out clips") for line in lines)


class _Signal(Hook):
    """Sends a signal after a step."""

    def __init__(self, number, step):
        self.number, self.step = number, step

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.step:
            os.kill(os.getpid(), self.number)


@pytest.fixture
def train(demo, monkeypatch, tmp_path, shapes, capsys):
    """Runs the demo with its training and a signal in it, but no test of what was trained.

    Gives its exit status, whether it went on, and the lines of errors.
    """
    build_runner = demo.build_runner

    def run(number=None, step=2, name="work", seed=0, fails=False):
        def build(cfg):
            runner = build_runner(cfg)
            if number:
                runner.register_hook(_Signal(number, step), "HIGHEST")
            return runner

        def evaluate(*arguments):
            if fails:
                raise KeyboardInterrupt
            return 0.5

        monkeypatch.setattr(demo, "build_runner", build)
        monkeypatch.setattr(demo, "evaluate", evaluate)
        options = ["--quick", "--data", str(shapes), "--seed", str(seed)]
        status = 0
        try:
            demo.main([*options, "--work-dir", str(tmp_path / name)])
        except SystemExit as end:
            status = end.code
        captured = capsys.readouterr()
        return status, "goes on from" in captured.out, captured.err.splitlines()

    return run


def _weights(path):
    return load_checkpoint_file(path)["state_dict"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_same_command_goes_on_after_a_signal(train, tmp_path, number):
    status, goes_on, errors = train(number)
    assert (status, goes_on) == (128 + number, False)
    assert errors[-1] == (
        f"stopped after 2 iterations; saved {tmp_path}/work/iter_2.pth; go on with: "
        "the same command"
    )
    assert train()[:2] == (0, True)
    assert train(name="whole")[:2] == (0, False)
    whole, found = (_weights(tmp_path / name / "iter_3.pth") for name in ("whole", "work"))
    assert all(torch.equal(whole[name], found[name]) for name in whole)
    assert train()[:2] == (0, False)  # was finished


@pytest.mark.slow
def test_another_training_starts_anew(train, tmp_path):
    assert train(signal.SIGINT)[0] == 130
    assert train(signal.SIGINT, step=1, seed=1)[:2] == (130, False)
    assert load_checkpoint_file(tmp_path / "work" / "iter_1.pth")["meta"]["seed"] == 1
    assert train(seed=0, number=signal.SIGINT, step=1)[:2] == (130, False)
    (tmp_path / "work" / "iter_1.pth").write_bytes(b"broken")
    assert train()[:2] == (0, False)


@pytest.mark.slow
def test_a_test_that_is_interrupted_does_not_cost_the_training(train):
    status, _, errors = train(fails=True)
    assert status == 130
    assert errors[-1] == "interrupted"
    assert train()[:2] == (0, True)


@pytest.mark.slow
def test_whole_demo_twice_in_one_folder(demo, tmp_path, capsys):
    for _ in range(2):
        demo.main(["--work-dir", str(tmp_path), "--quick"])
        lines = capsys.readouterr().out.splitlines()
        assert "mask AP, held-out clips" in lines[-1]
    names = {path.name for path in tmp_path.iterdir() if path.is_file()}
    expected = {"iter_3.pth", "results.json", "results.zip"}
    assert expected <= names
    entries = json.loads((tmp_path / "results.json").read_text())
    assert {entry["category_id"] for entry in entries} <= set(range(1, len(CLASSES) + 1))
