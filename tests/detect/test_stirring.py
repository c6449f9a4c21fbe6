"""How much the picture moves where somebody is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eftvideo.detect.stirring import Stirring
from eftvideo.types import Detections

BOX = np.array([[100.0, 50.0, 200.0, 250.0]], np.float32)
WAVE = np.add.outer(np.arange(300), 1.7 * np.arange(400)) / 9.0


def person(box=BOX, track_id=1):
    return Detections(
        box, np.ones(1, np.float32), np.ones((1, 17, 3), np.float32), np.array([track_id])
    )


def picture(shift_px=0.0, light=0.0, seed=0):
    rng = np.random.default_rng(seed)
    values = 120.0 + light + 60.0 * np.sin(WAVE + 1.7 * shift_px / 9.0)
    noisy = values[..., None] + rng.normal(0.0, 2.0, (300, 400, 3))
    return noisy.clip(0, 255).astype(np.uint8)


def told(pictures, people=None, rate=25.0):
    stirring, people = Stirring(), people or person()
    said = [stirring.at(image, people, t / rate)[0] for t, image in enumerate(pictures)]
    return np.array([s for s in said if not np.isnan(s)])


def test_noise_and_light_are_no_motion():
    said = told([picture(light=0.3 * t, seed=t) for t in range(70)])
    assert len(said) == 2
    assert said.max() < 1e-3


def test_motion_is_measured_in_longer_sides_of_the_box():
    # Half a pixel more after 0.8 s; along the gradient, whose x part is 1.7 / hypot(1, 1.7).
    steps = [picture(shift_px=0.5 if t >= 20 else 0.0, seed=t) for t in range(35)]
    expected = 0.5 * 1.7 / np.hypot(1.0, 1.7) / 200.0
    assert told(steps) == pytest.approx([expected], rel=0.15)


def test_who_is_new_is_watched_anew_and_far_people_not_at_all():
    images = [picture(seed=t) for t in range(40)]
    stirring = Stirring()
    for t, image in enumerate(images):
        if t == 20:
            stirring.forget()
        assert np.isnan(stirring.at(image, person(), t / 25.0)).all()
    assert len(told(images, person(BOX / 10.0))) == 0
    outside = replace(person(), xyxy=np.array([[-50.0, 0.0, 2.0, 200.0]], np.float32))
    assert len(told(images, outside)) == 0
