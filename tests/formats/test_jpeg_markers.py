import io

import numpy as np
import pytest
from PIL import Image

from mmttsrn.formats.jpeg_markers import is_cut_off


def encoded(image: Image.Image, **settings) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **settings)
    return file.getvalue()


def with_thumbnail(picture: bytes, thumbnail: bytes) -> bytes:
    """Put a whole picture into an EXIF header."""
    header = b"Exif\0\0" + thumbnail
    length = (len(header) + 2).to_bytes(2, "big")
    return picture[:2] + b"\xff\xe1" + length + header + picture[2:]


NOISE = np.random.default_rng(0).integers(0, 255, (40, 56, 3), dtype=np.uint8)
IMAGE = Image.fromarray(NOISE)
BASELINE = encoded(IMAGE)
PICTURES = {
    "baseline": BASELINE,
    "progressive": encoded(IMAGE, progressive=True),
    "restart markers": encoded(IMAGE, restart_marker_blocks=2),
    "grey": encoded(IMAGE.convert("L")),
    "CMYK": encoded(IMAGE.convert("CMYK")),
    "end markers in a comment": encoded(IMAGE, comment=b"\xff\xd9\xff\xd9"),
    "thumbnail": with_thumbnail(BASELINE, encoded(IMAGE.resize((16, 9)))),
    "fill bytes": BASELINE[:2] + b"\xff\xff" + BASELINE[2:-2] + b"\xff" + BASELINE[-2:],
}
TAILS = {
    "none": b"",
    "zeros": bytes(70_000),
    "fill bytes": b"\xff" * 50,
    "data of a phone": b"SEFH" + bytes(9000) + b"SEFT",
    "video of a motion photo": b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40,
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_a_picture_is_cut_off_wherever_it_ends_too_early(picture: bytes, tail: bytes) -> None:
    assert not is_cut_off(picture + tail)
    for length in range(2, len(picture), 1 if not tail else 7):
        assert is_cut_off(picture[:length] + tail), length


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_a_second_picture_does_not_end_the_first(picture: bytes) -> None:
    assert not is_cut_off(picture + BASELINE)
    after_header = picture.rindex(b"\xff\xda") + 20
    for length in range(after_header, len(picture), 7):
        assert is_cut_off(picture[:length] + BASELINE), length
