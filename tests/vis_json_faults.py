"""Results that are broken in one place: the second of the entries of ``vis_json``."""

from typing import Any

from vis_json import square

# Name: field of the entry, its value, what the message says of the field.
FAULTS: dict[str, tuple[str, Any, str]] = {
    "unknown video": ("video_id", 404, "video_id: expected an id of"),
    "category 0": ("category_id", 0, "category_id: expected an id of"),
    "NaN score": ("score", float("nan"), "score: expected a finite number, got nan"),
    "length": ("segmentations", [square(0)] * 19, "segmentations: expected one mask or null per f"),
    "mask size": (
        "segmentations",
        [None, {**square(0), "size": [60, 20]}] + [None] * 18,
        "segmentations[1]: RLE size is [60, 20]",
    ),
    "bytes counts": (
        "segmentations",
        [None] * 19 + [{**square(0), "counts": str(square(0)["counts"].encode())}],
        "segmentations[19]: ",
    ),
    "cut-off counts": (
        "segmentations",
        [None, {**square(0), "counts": square(0)["counts"][:-1]}] + [None] * 18,
        "segmentations[1]: ",
    ),
}
