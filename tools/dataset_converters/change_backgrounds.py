"""Puts the annotated objects of videos before other backgrounds: does a model know them or places?

Masks, classes and motion stay; whatever has no mask is replaced by an image of BACKGROUNDS, one for
each video.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from pycocotools import mask as mask_utils

from mmttsrn.cli.user_errors import ArgumentParser, report_user_errors
from mmttsrn.errors import input_errors, printable
from mmttsrn.formats.frames import read_frame
from mmttsrn.formats.output_files import replace_file
from mmttsrn.hosts.mmdet import YouTubeVISDataset


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("annotations", type=Path, help="json in YouTube-VIS format")
    parser.add_argument("images", type=Path, help="folder that its file names begin in")
    parser.add_argument(
        "backgrounds", type=Path, nargs="+", metavar="BACKGROUNDS", help="image files"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same data; %(default)s")
    return parser.parse_args()


def change_video(video: dict, background: np.ndarray, folder: Path) -> list[str]:
    """Write the frames of a video before a background (H, W, 3) RGB; return their names."""
    names = []
    first = video["images"][0]
    fitted = ImageOps.fit(Image.fromarray(background), (first["width"], first["height"]))
    for image in video["images"]:
        changed = np.array(fitted)
        if masks := [instance["mask"] for instance in image["instances"]]:
            objects = mask_utils.decode(masks).any(-1)  # H W
            changed[objects] = read_frame(image["img_path"])[objects]
        names.append(f"{video['video_id']}/{image['frame_id']:05}.png")
        path = folder / "JPEGImages" / names[-1]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(changed).save(path)
    return names


@report_user_errors()
def main() -> None:
    """Write frames and json."""
    args = parse_args()
    dataset = YouTubeVISDataset(
        ann_file=str(args.annotations),
        data_prefix=dict(img_path=str(args.images)),
        filter_cfg=dict(filter_empty_gt=False),
    )
    content = json.loads(args.annotations.read_text(encoding="utf-8"))
    order = np.random.default_rng(args.seed).permutation(len(args.backgrounds))
    paths = [args.backgrounds[order[index % len(order)]] for index in range(len(dataset))]
    names = {}
    with input_errors(args.out):
        for index, path in enumerate(paths):
            video = dataset.get_data_info(index)
            names[video["video_id"]] = change_video(video, read_frame(path), args.out)
        for video in content["videos"]:
            video["file_names"] = names[video["id"]]
        text = json.dumps(content)
        replace_file(args.out / "instances.json", lambda path: path.write_text(text))
    print(f"wrote {len(names)} videos to {printable(args.out)}")


if __name__ == "__main__":
    main()
