import cv2
import numpy as np
import pytest

from mmttsrn.formats.fonts import font_of
from mmttsrn.visualization.labels import Font, draw_label, fit_label, place_label


def _overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 20, 20),
        (140, 80, 160, 96),
        (-30, -30, 200, 200),
        (150, 0, 170, 5),
        (0, 90, 160, 96),
        (500, 500, 510, 510),
    ],
)
@pytest.mark.parametrize("taken", [[], [(0, 0, 160, 96)]])
def test_label_stays_inside_the_frame(box, taken):
    x1, y1, x2, y2 = place_label((60, 14), box, (96, 160), taken)
    assert x1 >= 0
    assert x2 <= 160
    assert y1 >= 0
    assert y2 <= 96
    assert (x2 - x1, y2 - y1) == (60, 14)


def test_label_stands_on_its_box_if_there_is_room():
    assert place_label((60, 14), (30, 40, 90, 80), (96, 160), []) == (30, 26, 90, 40)


def test_labels_of_equal_boxes_do_not_overlap():
    taken = []
    for _ in range(6):
        taken.append(place_label((60, 14), (50, 50, 70, 60), (96, 160), taken))
    assert not any(_overlap(a, b) for index, a in enumerate(taken) for b in taken[index + 1 :])


def test_long_name_is_shortened_but_score_and_id_are_kept():
    font = Font.for_frame(96, 160)
    label = fit_label("a very long class name indeed", " 0.97 #12", 120, font)
    assert label.startswith("a ver")
    assert label.endswith(".. 0.97 #12")
    assert font.measure(label)[0] <= 120
    assert fit_label("cat", " 0.97 #12", 1000, font) == "cat 0.97 #12"


def test_no_label_where_not_even_the_id_fits():
    assert fit_label("cat", " #1", 5, Font.for_frame(96, 160)) == ""


def test_text_does_not_leave_its_background():
    canvas = np.full((60, 200, 3), 7, dtype=np.uint8)
    font = Font.for_frame(360, 640)
    width, height, _ = font.measure("gjpq 0.99 #8")
    draw_label(canvas, "gjpq 0.99 #8", (20, 20, 20 + width, 20 + height), (0, 255, 0), font)
    outside = np.ones(canvas.shape[:2], dtype=bool)
    outside[20 : 20 + height, 20 : 20 + width] = False
    assert (canvas[outside] == 7).all()
    assert (canvas[20 : 20 + height, 20 : 20 + width] == 0).any()  # black strokes


def drawn(text, color=(0, 255, 0)):
    """Picture of a label, of its size."""
    font = Font.for_frame(360, 640)
    width, height, _ = font.measure(text)
    canvas = np.full((height + 4, width + 4, 3), 7, dtype=np.uint8)
    draw_label(canvas, text, (2, 2, 2 + width, 2 + height), color, font)
    assert (canvas[[0, 1, -2, -1]] == 7).all()
    assert (canvas[:, [0, 1, -2, -1]] == 7).all()
    return canvas[2:-2, 2:-2]


def test_ascii_is_drawn_by_opencv():
    text = "cat 0.97 #12"
    font = cv2.FONT_HERSHEY_SIMPLEX
    (width, height), baseline = cv2.getTextSize(text, font, 0.5, 1)
    expected = np.empty((height + baseline + 4, width + 4, 3), np.uint8)
    expected[:] = (0, 255, 0)
    cv2.putText(expected, text, (2, height + 2), font, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    assert np.array_equal(drawn(text), expected)


def test_other_scripts_are_drawn():
    names = ["Größe", "ночь", "νύχτα", "قطة", "חתול"]  # which the font of Matplotlib has
    names += [name for name in ("猫", "犬", "고양이", "बिल्ली") if all(map(font_of, name))]
    pictures = [drawn(f"{name} 0.97 #1", (255, 255, 255)) for name in names]
    for number, picture in enumerate(pictures):
        assert 12 < picture.shape[0] < 40
        assert (picture < 128).mean() > 0.03
        for other in pictures[:number]:
            assert not np.array_equal(picture, other)
    white = (255, 255, 255)
    dark = [(drawn(text, white) < 128).any((0, 2)) for text in ("Größe", "Groesse")]
    assert abs(np.count_nonzero(dark[0]) - np.count_nonzero(dark[1])) < 30  # pixels


def test_numbers_stand_to_the_right_of_every_name():
    font = Font.for_frame(360, 640)
    label = fit_label("قطة", " 0.97 #1", 1000, font)
    numbers = drawn("\u200e 0.97 #1", (255, 255, 255))
    picture = drawn(label, (255, 255, 255))
    width = numbers.shape[1] - 8
    assert np.abs(picture[:, -width:].astype(int) - numbers[:, -width:]).mean() < 20
    short = fit_label("قطة " * 30, " 0.97 #12", 120, font)
    assert short.endswith(".. 0.97 #12".replace(" 0", "\u200e 0"))
    assert font.measure(short)[0] <= 120
