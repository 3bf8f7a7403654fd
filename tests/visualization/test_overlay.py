import numpy as np
import pytest
from drawn_frames import frame_of

from mmttsrn.visualization.colors import instance_color
from mmttsrn.visualization.overlay import (
    OverlayStyle,
    Trails,
    draw_instances,
    draw_masks,
)

ORIGINAL_SIZE = OverlayStyle(min_side=0)


def _masks(*boxes, size=(96, 160)):
    masks = np.zeros((len(boxes), *size), dtype=bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
    return masks


def _changed(before, after):
    return (before != after).any(-1)


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 120, (96, 160, 3)).astype(np.uint8)


def test_masks_change_their_pixels_and_a_contour_only(image):
    masks = _masks((40, 30, 80, 60))
    canvas = image.copy()
    draw_masks(canvas, masks, [1], ORIGINAL_SIZE)
    changed = _changed(image, canvas)
    margin = _masks((38, 28, 82, 62))[0]
    assert changed[masks[0]].all()
    assert not changed[~margin].any()


def test_mask_is_blended_with_the_frame(image):
    canvas = image.copy()
    draw_masks(canvas, _masks((40, 30, 80, 60)), [1], ORIGINAL_SIZE)
    inside = slice(35, 55), slice(45, 75)
    expected = 0.55 * image[inside] + 0.45 * np.array(instance_color(1))
    assert np.abs(canvas[inside] - expected).max() <= 1


def test_holes_of_a_mask_stay_free(image):
    masks = _masks((20, 10, 120, 90))
    masks[0, 30:70, 50:90] = False
    canvas = image.copy()
    draw_masks(canvas, masks, [1], ORIGINAL_SIZE)
    hole = slice(33, 67), slice(53, 87)
    assert np.array_equal(canvas[hole], image[hole])
    assert tuple(canvas[29, 70]) == instance_color(1)  # the contour runs around the hole too


def test_input_image_is_not_changed(image):
    before = image.copy()
    for style in (ORIGINAL_SIZE, OverlayStyle()):
        draw_instances(image, frame_of([1], ["cat"], _masks((40, 30, 80, 60))), style)
        assert np.array_equal(image, before)


def test_far_from_instance_and_label_nothing_changes(image):
    drawn = draw_instances(
        image, frame_of([1], ["cat"], _masks((40, 40, 80, 60)), scores=[0.9]), ORIGINAL_SIZE
    )
    changed = _changed(image, drawn)
    assert changed[20:40, 40:80].any()  # the label above the box
    assert not changed[64:].any()
    assert not changed[:20].any()
    assert not changed[:, :38].any()


def test_instance_without_pixels_is_not_drawn(image):
    masks = np.zeros((2, 96, 160), dtype=bool)
    boxes = np.array([[10, 10, 60, 60], [20, 20, 40, 40]], dtype=np.float32)
    drawn = draw_instances(image, frame_of([0, 1], ["a", "b"], masks, boxes), ORIGINAL_SIZE)
    assert np.array_equal(drawn, image)


def test_boxes_alone_are_drawn_and_degenerate_ones_left_out(image):
    boxes = np.array([[10, 40, 60, 80], [100, 20, 100, 20]], dtype=np.float32)
    drawn = draw_instances(image, frame_of([0, 1], ["a", "b"], boxes=boxes), ORIGINAL_SIZE)
    assert tuple(drawn[79, 30]) == instance_color(0)
    assert not _changed(image, drawn)[:, 90:].any()


@pytest.mark.parametrize("box", [(-50, -50, 500, 500), (150, 90, 160, 96), (0, 0, 3, 3)])
def test_boxes_and_labels_at_the_border(image, box):
    instances = frame_of([7], ["a long class name"], boxes=np.array([box]), scores=[1.0])
    assert draw_instances(image, instances, ORIGINAL_SIZE).shape == image.shape


def test_id_keeps_its_color_through_frames_and_orders(image):
    pictures = []
    for ids, boxes in (([4, 9], [(10, 40, 50, 90), (90, 40, 130, 90)]), ([9], [(90, 40, 130, 90)])):
        instances = frame_of(ids, ["x"] * len(ids), _masks(*boxes), scores=[0.5] * len(ids))
        pictures.append(draw_instances(image, instances, ORIGINAL_SIZE))
    first, second = (picture[45:90, 91:130] for picture in pictures)
    assert np.array_equal(first, second)
    assert tuple(pictures[0][89, 110]) == instance_color(9)
    assert tuple(pictures[0][89, 30]) == instance_color(4)


@pytest.mark.parametrize(("scores", "bottom", "top"), [([0.9, 0.3], 2, 1), ([0.3, 0.9], 1, 2)])
def test_higher_score_lies_on_top(scores, bottom, top):
    masks = _masks((20, 20, 100, 80), (20, 20, 100, 80))
    instances = frame_of([1, 2], ["", ""], masks, scores=scores)
    canvas = draw_instances(np.zeros((96, 160, 3), np.uint8), instances, ORIGINAL_SIZE)
    assert tuple(canvas[79, 60]) == instance_color(top)  # edge of the box
    expected = 0.45 * np.array(instance_color(top)) + 0.55 * 0.45 * np.array(instance_color(bottom))
    assert np.abs(canvas[60, 60] - expected).max() <= 1


@pytest.mark.parametrize(
    ("size", "min_side", "zoom"),
    [((96, 160), 360, 4), ((180, 320), 360, 2), ((360, 640), 360, 1), ((96, 160), 0, 1)],
)
def test_small_frames_are_enlarged(size, min_side, zoom):
    image = np.zeros((*size, 3), dtype=np.uint8)
    masks = _masks((10, 50, 40, 90), size=size)
    drawn = draw_instances(image, frame_of([1], ["x"], masks), OverlayStyle(min_side=min_side))
    assert drawn.shape == (size[0] * zoom, size[1] * zoom, 3)
    inside = drawn[50 * zoom + 5 : 90 * zoom - 5, 10 * zoom + 5 : 40 * zoom - 5]
    assert (inside != 0).any(-1).all()


@pytest.mark.parametrize("kwargs", [{"alpha": 1.5}, {"line_width": 0}])
def test_wrong_style(kwargs):
    with pytest.raises(ValueError, match="expected alpha from 0 to 1 and line_width of 1"):
        OverlayStyle(**kwargs)


def test_a_trail_follows_the_centre_and_ends(image):
    trails = Trails(length=3)

    def drawn(left: int) -> np.ndarray:
        boxes = np.array([[left, 10.0, left + 4, 14.0]])
        instances = frame_of([4], names=["a"], boxes=boxes)
        trails.add(instances)
        canvas = np.zeros((40, 60, 3), np.uint8)
        trails.draw(canvas, zoom=1, line_width=1)
        return canvas.any(-1)

    assert not drawn(4)[:, 10:].any()
    assert drawn(8)[12, 6:11].all()
    assert drawn(12)[12, 6:15].all()
    last = drawn(16)
    assert last[12, 10:19].all()
    assert not last[12, :8].any()
    nothing = frame_of([], names=[], boxes=np.zeros((0, 4)))
    trails.add(nothing)
    trails.add(nothing)
    assert np.array_equal(draw_instances(image, nothing, ORIGINAL_SIZE, trails), image)
    canvas = np.zeros((40, 60, 3), np.uint8)
    trails.draw(canvas, zoom=1, line_width=1)
    assert not canvas.any()


def test_names_are_drawn_in_their_script_and_on_one_line(image, caplog):
    masks = _masks((40, 30, 80, 60))

    def picture(name):
        return draw_instances(image, frame_of([1], [name], masks), ORIGINAL_SIZE)

    assert _changed(picture("Größe"), picture("Gr??e")).any()
    assert np.array_equal(picture("a\n\x1b[2J"), picture("a\\n\\x1b[2J"))
    assert np.array_equal(picture("\U0010fffd"), picture("\\U0010fffd"))  # of no font
