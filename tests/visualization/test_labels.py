import numpy as np
import pytest

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
