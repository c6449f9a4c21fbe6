"""Bodies behind people who stand in front of them: who is, and what of the picture stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eftvideo.config import RerenderConfig, RunConfig
from eftvideo.config.dotted import set_values
from eftvideo.draw.behind import Behind, hidden_shares, near_bodies
from eftvideo.draw.result import render_result
from eftvideo.errors import ConfigError
from eftvideo.geometry.boxes import longer_side
from eftvideo.renderers import Hidden
from eftvideo.results.posing import body_of
from eftvideo.setup import Setup
from eftvideo.types import Masks
from eftvideo.types.masks import SIDE
from eftvideo.video.reader import open_video
from tests.renderer_scene import needs_gl

LEFT, RIGHT = slice(0, SIDE // 2), slice(SIDE // 2, SIDE)


def halves(*columns):
    """Masks of one square, 100 px, of which some columns are each person's."""
    shares = np.zeros((len(columns), SIDE, SIDE))
    for share, part in zip(shares, columns, strict=True):
        share[:, part] = 1.0
    return Masks.of(shares, np.tile([50.0, 50.0, 100.0, 0.0], (len(columns), 1)))


def pushed(result, masks_of):
    """The second person as the first one's double, with masks that `masks_of` gives of each row."""
    first, second = (np.flatnonzero(result.track_id == i) for i in (1, 2))
    same = {}
    for name in ("bbox_xyxy", "joints3d", "transl", "global_orient", "body_pose", "betas"):
        same[name] = getattr(result, name).copy()
        same[name][second] = same[name][first]
    boxes = same["bbox_xyxy"]
    side = 1.5 * longer_side(boxes)
    place = np.column_stack([(boxes[:, :2] + boxes[:, 2:]) / 2, side, np.zeros(len(boxes))])
    pairs = zip(result.track_id.tolist(), result.frame.tolist(), strict=True)
    masks = Masks.of(np.stack([masks_of(i, f) for i, f in pairs]), place)
    return replace(result, **same, masks=masks)


def part(columns):
    share = np.zeros((SIDE, SIDE))
    share[:, columns] = 1.0
    return share


def test_whose_body_lies_in_the_others_mask():
    """Of ten points of each body, along x: six of the first's are the second's alone."""
    masks = halves(LEFT, RIGHT)
    y = np.full(10, 50.0)
    first = np.column_stack([[10, 20, 30, 40, 55, 60, 65, 70, 75, 80], y])
    second = np.column_stack([[45, 55, 60, 65, 70, 75, 80, 85, 120, 200], y])
    lost = hidden_shares([first, second], masks)
    np.testing.assert_allclose(lost, [[0.0, 0.6], [0.1, 0.0]])
    assert hidden_shares([np.zeros((0, 2))] * 2, masks).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_pixels_of_both_are_hidden_near_the_body_in_front_alone():
    """Cells 24 to 39 are in both masks; the body in front is in the last ones."""
    own, front = halves(slice(0, 40)), halves(slice(24, 64))
    nothing = halves(slice(0, 0))
    far = Hidden(own, front, nothing).part((0, 0, 100, 100))
    assert far.dtype == np.uint8 and far.shape == (100, 100)
    assert not far[5:-5, :60].any() and (far[5:-5, 66:95] == 255).all()
    near = Hidden(own, front, halves(slice(32, 64))).part((0, 0, 100, 100))
    assert not near[5:-5, :47].any() and (near[5:-5, 53:95] == 255).all()
    unknown = Hidden(Masks.none(1), front, nothing).part((0, 0, 100, 100))
    assert (unknown[5:-5, 41:95] == 255).all()
    half = Hidden(own, front, nothing).scaled(0.5).part((0, 0, 50, 50))
    assert not half[3:-3, :30].any() and (half[3:-3, 34:47] == 255).all()


def test_near_is_two_cells_about_a_body():
    """Cells of 100 / 64 px: a vertex in cell 32, 32 reaches over five; of the mask, from 32 on."""
    found = near_bodies(halves(RIGHT), [np.array([[50.5, 50.5], [400.0, 10.0]])], 2)
    rows, columns = np.nonzero(found.shares[0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (30, 34, 32, 34)


def test_who_is_in_front_is_who_is_seen(finished):
    """All pixels are the second's: the first is behind, whatever the depths."""
    body = body_of(finished.result)
    for depth in (-0.1, 0.1):
        made = pushed(finished.result, lambda i, f: part(slice(None) if i == 2 else slice(0, 1)))
        made.joints3d[made.track_id == 2, :, 2] += depth
        found = Behind(made, body).of_frame(3)
        assert list(found) == [1]
        row = np.flatnonzero((made.frame == 3) & (made.track_id == 2))
        np.testing.assert_array_equal(found[1].front.region, made.masks.region[row])


def test_of_masks_that_have_both_people_depth_tells(finished):
    body = body_of(finished.result)
    for depth, behind in ((-0.1, [1]), (0.1, [2])):
        made = pushed(finished.result, lambda i, f: part(slice(None)))
        made.joints3d[made.track_id == 2, :, 2] += depth
        assert list(Behind(made, body).of_frame(3)) == behind


def test_one_frame_that_says_otherwise_changes_nothing(finished):
    body = body_of(finished.result)

    def masks_of(i, f):
        return part(slice(None) if (i == 2) != (f == 4) else slice(0, 1))

    behind = Behind(pushed(finished.result, masks_of), body)
    assert [list(behind.of_frame(f)) for f in range(8)] == [[1]] * 8


def test_without_both_masks_depth_tells(finished):
    """The first has no mask: it goes behind the second if that is nearer, and never hides it."""
    body = body_of(finished.result)
    for depth, behind in ((-0.5, [1]), (0.5, [])):
        made = pushed(finished.result, lambda i, f: part(slice(None) if i == 2 else slice(0)))
        made.joints3d[made.track_id == 2, :, 2] += depth
        assert list(Behind(made, body).of_frame(3)) == behind


def test_people_apart_hide_nothing(finished):
    full = Masks.of(np.ones((len(finished.result), SIDE, SIDE)), np.ones((len(finished.result), 4)))
    boxes = finished.result.bbox_xyxy.copy()
    boxes[finished.result.track_id == 2, ::2] += 3000.0
    apart = replace(finished.result, masks=full, bbox_xyxy=boxes)
    assert Behind(apart, body_of(apart)).of_frame(2) == {}


@needs_gl
@pytest.mark.parametrize("draw", ["mesh", "wireframe"])
def test_the_clip_stays_where_a_body_is_hidden(finished, tmp_path, draw):
    """The right half of the square is the second's: the first is drawn on the left alone, also
    where only the first is drawn."""
    made = pushed(finished.result, lambda i, f: part(LEFT if i == 1 else RIGHT))
    made.joints3d[made.track_id == 2, :, 2] *= 0.9
    with open_video(finished.clip) as clip:
        frame = next(f for f in clip if f.index == 3)
    row = np.flatnonzero((made.frame == 3) & (made.track_id == 1))[0]
    x, y = made.masks.region[row, :2].round().astype(int)
    half = int(made.masks.region[row, 2] / 2)
    # The first's body comes near both sides of the middle.
    for behind, sides in ((False, (True, True)), (True, (True, False))):
        cfg = RerenderConfig(draw=(draw,), behind=behind, track_ids=(1,), frames=(3,), output="png")
        (path,) = render_result(made, finished.clip, tmp_path / str(behind), cfg)
        image = _picture(path)
        changed = np.abs(image - frame.image.astype(int)).max(axis=2) > 8
        rows = slice(max(0, y - half + 4), y + half - 4)
        found = changed[rows, : x - 3].any(), changed[rows, x + 3 : x + half - 4].any()
        assert found == sides


def _picture(path):
    import cv2

    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB).astype(int)


def test_a_result_without_masks_says_so(finished, tmp_path):
    with pytest.raises(ConfigError, match=r"no masks.*run the clip again with --behind"):
        render_result(finished.result, finished.clip, tmp_path, RerenderConfig(behind=True))


def test_masks_need_the_landmark_network(finished):
    with open_video(finished.clip) as clip:
        info = clip.info
    for setting in ("draw.behind=yes", "detect.landmarks.masks=yes"):
        cfg = set_values(RunConfig(), [setting, "detect.landmarks.network=off"])
        with pytest.raises(ConfigError, match="give --landmarks heavy or full"):
            Setup.load(cfg, info)
