"""A checkpoint is tested on data whose classes have other numbers."""

import json
from pathlib import Path

import pytest
from mmengine.runner import Runner

from mmttsrn.apis.config_file import configs_folder, load_config
from mmttsrn.checkpoints.host_loading import safe_host_loading
from mmttsrn.datasets.synthetic import write_moving_shapes

RELEASE = "ttsrn-m2f_tiny_shapes"


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_moving_shapes(folder, train_clips=1, val_clips=4, num_frames=5, size=(64, 96))
    content = json.loads((folder / "valid.json").read_text())
    number = {category["id"]: 10 - category["id"] for category in content["categories"]}
    for entry in content["categories"]:
        entry["id"] = number[entry["id"]]
    for entry in content["annotations"]:
        entry["category_id"] = number[entry["category_id"]]
    (folder / "renumbered.json").write_text(json.dumps(content))
    return folder


def run_test(data: Path, ann_file: str, work_dir: Path) -> dict[str, float]:
    cfg = load_config(RELEASE)
    [checkpoint] = (configs_folder() / "vis" / "released").glob(f"{RELEASE}_*.pth")
    cfg.work_dir, cfg.load_from = str(work_dir), str(checkpoint)
    cfg.experiment_name = cfg.visualizer.name = f"classes_by_name_{ann_file}"
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.test_dataloader.dataset.update(data_root=f"{data}/", ann_file=ann_file)
    with safe_host_loading():
        return Runner.from_cfg(cfg).test()


def test_results_are_given_by_name(data: Path, tmp_path: Path) -> None:
    expected = run_test(data, "valid.json", tmp_path / "one")
    found = run_test(data, "renumbered.json", tmp_path / "other")
    assert expected["youtube_vis/mAP"] > 0.3
    assert found == expected
    results = [
        json.loads((tmp_path / name / "results.json").read_text()) for name in ("one", "other")
    ]
    ids = [[entry["category_id"] for entry in entries] for entries in results]
    assert ids[1] == [10 - number for number in ids[0]]
