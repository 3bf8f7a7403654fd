import random

import cv2
import numpy as np
import pytest
import torch

from mmttsrn.visualization.colors import PALETTE_SIZE, instance_color, instance_palette, text_color


def test_colors_do_not_depend_on_random_state():
    before = [instance_color(instance_id) for instance_id in range(10)]
    instance_palette.cache_clear()
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    assert [instance_color(instance_id) for instance_id in range(10)] == before


@pytest.mark.parametrize(("num_ids", "min_distance"), [(4, 100), (10, 40), (20, 30), (128, 10)])
def test_first_ids_are_well_separated(num_ids, min_distance):
    colors = np.array([[instance_color(index) for index in range(num_ids)]], dtype=np.float32)
    lab = cv2.cvtColor(colors / 255, cv2.COLOR_RGB2Lab)[0]
    distance = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    assert distance.min() > min_distance


def test_any_integer_is_an_id():
    assert instance_color(PALETTE_SIZE) == instance_color(0)
    assert instance_color(torch.tensor(5)) == instance_color(5)
    assert len(instance_color(10**12)) == 3


def test_text_contrasts_with_its_background():
    assert text_color((255, 255, 0)) == (0, 0, 0)
    assert text_color((40, 0, 90)) == (255, 255, 255)
