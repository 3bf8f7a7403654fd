import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmttsrn.visualization.video_io import write_frame

HEIGHT, WIDTH, NUM_FRAMES = 48, 64, 4


def encode(mask):
    rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(rle["size"]), "counts": rle["counts"].decode()}


@pytest.fixture
def vis_files(tmp_path):
    """Two videos whose frames have the same basenames, with ground truth and results.

    Video 1 has a cat that moves right and is hidden in the last frame; video 2 has a dog.
    """
    annotations, results = [], []
    videos = [
        {
            "id": video_id,
            "height": HEIGHT,
            "width": WIDTH,
            "length": NUM_FRAMES,
            "file_names": [f"{name}/{frame:05d}.jpg" for frame in range(NUM_FRAMES)],
        }
        for video_id, name in ((1, "first"), (2, "second"))
    ]
    for video in videos:
        segmentations = []
        for frame, name in enumerate(video["file_names"]):
            image = np.full((HEIGHT, WIDTH, 3), 20 * frame, dtype=np.uint8)
            write_frame(tmp_path / "frames" / name, image)
            mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
            mask[10:30, 5 + 8 * frame : 25 + 8 * frame] = True
            segmentations.append(encode(mask))
        if video["id"] == 1:
            segmentations[-1] = None
        common = {
            "video_id": video["id"],
            "category_id": 10 * video["id"],
            "segmentations": segmentations,
        }
        annotations.append(dict(common, id=len(annotations) + 1, iscrowd=0))
        results.append(dict(common, score=0.9))
        results.append(dict(common, score=0.2))
    content = {
        "videos": videos,
        "categories": [{"id": 10, "name": "cat"}, {"id": 20, "name": "dog"}],
        "annotations": annotations,
    }
    (tmp_path / "instances.json").write_text(json.dumps(content))
    (tmp_path / "results.json").write_text(json.dumps(results))
    return tmp_path


@pytest.fixture
def edit_json(vis_files):
    """Changes a json file of ``vis_files`` by a function of its content."""

    def edit(name, change):
        path = vis_files / name
        content = json.loads(path.read_text())
        replacement = change(content)
        path.write_text(json.dumps(content if replacement is None else replacement))

    return edit
