"""Drawing: people where the camera sees them, in front of whom they stand, whatever they do."""

import threading
from itertools import pairwise

import cv2
import numpy as np
import pytest

from eftvideo import plugins
from eftvideo.errors import MissingDependencyError
from eftvideo.renderers import DrawnPerson, _gl, track_colour
from eftvideo.renderers._normals import VertexNormals
from eftvideo.renderers.skeleton import MIN_SCORE
from eftvideo.skeletons import COCO17

W, H, FOCAL = 161, 120, 200.0
GREY = np.full((H, W, 3), 128, np.uint8)


def has_opengl():
    try:
        _gl.probe_gl()
    except MissingDependencyError:
        return False
    return True


needs_gl = pytest.mark.skipif(not has_opengl(), reason="no OpenGL on this machine")


def sphere(radius=1.0, center=(0.0, 0.0, 0.0), rounds=3):
    """Vertices (V, 3) and faces (F, 3), counter-clockwise from outside."""
    vertices = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1.0]])
    faces = np.array(
        [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    )
    for _ in range(rounds):
        a, b, c = faces.T
        n = len(vertices)
        halves = [(vertices[i] + vertices[j]) / 2 for i, j in ((a, b), (b, c), (c, a))]
        vertices = np.concatenate([vertices, *halves])
        ab, bc, ca = (n + k * len(faces) + np.arange(len(faces)) for k in range(3))
        faces = np.concatenate(
            [np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
        )
        vertices /= np.linalg.norm(vertices, axis=1, keepdims=True)
    unique, index = np.unique(vertices.round(9), axis=0, return_inverse=True)
    return unique * radius + center, index.reshape(-1)[faces]


FACES = sphere()[1]
STANDING = np.column_stack([np.linspace(60, 100, 17), np.linspace(20, 100, 17), np.ones(17)])


def ball(radius, center, track_id=1, focal=FOCAL):
    return DrawnPerson(
        track_id, track_colour(track_id), focal, sphere(radius, center)[0].astype(np.float32)
    )


def mesh(opacity=1.0, width=W, height=H):
    return plugins.load("renderers", "pyrender_mesh")(FACES, width, height, opacity)


def changed(image, before=GREY):
    return np.abs(image.astype(int) - before).max(axis=2) > 0


@pytest.fixture(params=plugins.available("renderers"))
def renderer(request):
    if request.param in ("pyrender_mesh", "wireframe") and not has_opengl():
        pytest.skip("no OpenGL on this machine")
    return plugins.load("renderers", request.param)


def person_with_everything():
    body = sphere(0.3, (0.0, 0.0, 2.0))[0].astype(np.float32)
    rise = np.linspace(0.4, -0.4, 24)
    joints = np.column_stack([0.3 * np.cos(7 * rise), rise, np.full(24, 2.0)])
    trails = joints[None, :3] + np.linspace(0, 0.3, 6)[:, None, None]
    return DrawnPerson(3, track_colour(3), FOCAL, body, STANDING, joints, trails, "3: 2.5 px")


def test_contract_draws_into_a_copy(renderer):
    with renderer(FACES, W, H, 0.9) as model:
        image = GREY.copy()
        out = model.draw(image, [person_with_everything()])
        assert out.shape == GREY.shape
        assert out.dtype == np.uint8
        assert changed(out).sum() > 100
        assert np.array_equal(image, GREY)
        again = model.draw(image, [person_with_everything()])
        assert np.array_equal(out, again), "the same twice"
        assert np.array_equal(model.draw(image, []), GREY)
        assert np.array_equal(model.draw(image, [DrawnPerson(1, (1, 1, 1), FOCAL)]), GREY)


def test_contract_refuses_other_sizes(renderer):
    with renderer(FACES, W, H, 0.9) as model, pytest.raises(ValueError, match="120, 161"):
        model.draw(np.zeros((W, H, 3), np.uint8), [])


def test_contract_opacity_nought_shows_nothing(renderer):
    with renderer(FACES, W, H, 0.0) as model:
        out = model.draw(GREY, [person_with_everything()])
        assert np.abs(out.astype(int) - GREY).max() <= 1


def test_contract_names():
    flat = {"skeleton", "bones", "trails", "captions"}
    assert set(plugins.available("renderers")) == {"pyrender_mesh", "wireframe"} | flat


@needs_gl
@pytest.mark.parametrize(
    ("center", "radius", "size"),
    [
        ((0.0, 0.0, 2.0), 0.3, (W, H)),
        ((0.5, -0.25, 2.0), 0.2, (W, H)),
        ((-0.35, 0.3, 1.5), 0.25, (W, H)),
        ((0.1, 0.05, 9.0), 0.3, (W, H)),
        ((0.9, 0.4, 3.0), 0.5, (641, 359)),
    ],
)
def test_the_outline_is_where_the_camera_sees_it(center, radius, size):
    """A convex body's outline is the hull of its projected vertices."""
    width, height = size
    person = ball(radius, center)
    grey = np.full((height, width, 3), 128, np.uint8)
    with mesh(1.0, width, height) as model:
        seen = changed(model.draw(grey, [person]), grey)
    v = person.vertices_cam.astype(float)
    points = v[:, :2] / v[:, 2:] * FOCAL + np.array([width, height]) / 2
    fine = 8
    canvas = np.zeros((height * fine, width * fine), np.uint8)
    hull = cv2.convexHull((points * fine).astype(np.float32)).round().astype(np.int32)
    cv2.fillConvexPoly(canvas, hull, 255)
    cover = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
    assert not seen[cover == 0].any(), "nothing outside the outline"
    assert seen[cover == 255].all(), "all of the inside"
    assert seen.sum() > 20


@needs_gl
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_who_is_nearer_is_in_front(order):
    near, far = ball(0.2, (0, 0, 2.0), 1), ball(0.6, (0, 0, 4.0), 2)
    with mesh() as model:
        out = model.draw(GREY, [(near, far)[i] for i in order])
        alone = model.draw(GREY, [near])
        behind = model.draw(GREY, [far])
    middle, rim = (H // 2, W // 2), (H // 2, W // 2 + 25)
    assert np.array_equal(out[middle], alone[middle])
    assert np.array_equal(out[rim], behind[rim])
    assert not np.array_equal(alone[middle], behind[middle])


@needs_gl
def test_people_apart_are_drawn_as_if_alone():
    people = [ball(0.15, (-0.5, 0.1, 2.0), 1), ball(0.1, (0.5, -0.2, 2.0), 2)]
    with mesh(0.8) as model:
        both = model.draw(GREY, people)
        alone = [model.draw(GREY, [p]) for p in people]
    split = W // 2
    assert np.array_equal(both[:, :split], alone[0][:, :split])
    assert np.array_equal(both[:, split:], alone[1][:, split:])


@needs_gl
def test_it_is_lit_from_above_and_outside_faces_show():
    with mesh() as model:
        out = model.draw(GREY, [ball(0.5, (0, 0, 2.0))]).astype(int).sum(axis=2)
    x, y, r = W // 2, H // 2, 50
    assert out[y - r * 2 // 3, x] > out[y + r * 2 // 3, x] + 60, "top over bottom"
    assert out[y, x] > out[y, x + r - 3] + 60, "middle over rim: not the inside of the back"


@needs_gl
def test_opacity_and_smooth_edges():
    white = np.full((H, W, 3), 255, np.uint8)
    with mesh(1.0) as solid, mesh(0.5) as half:
        full = solid.draw(white, [ball(0.4, (0, 0, 2.0))]).astype(int)
        mixed = half.draw(white, [ball(0.4, (0, 0, 2.0))]).astype(int)
    assert np.abs(mixed - (full + 255) / 2).max() <= 2
    column_edges = [np.flatnonzero(full[:, x, 0] < 255)[0] for x in range(W // 2 - 20, W // 2 + 20)]
    tops = [
        full[y, x, 0] for y, x in zip(column_edges, range(W // 2 - 20, W // 2 + 20), strict=True)
    ]
    assert len({int(t) for t in tops}) > 8, "edge pixels take many values, not two"


@needs_gl
def test_every_person_has_a_focal_length_of_their_own():
    with mesh() as model:
        wide = changed(model.draw(GREY, [ball(0.2, (0, 0, 2.0), focal=FOCAL)])).sum()
        tele = changed(model.draw(GREY, [ball(0.2, (0, 0, 2.0), focal=2 * FOCAL)])).sum()
    assert tele / wide == pytest.approx(4, rel=0.1)


@needs_gl
@pytest.mark.parametrize(
    "person",
    [
        ball(0.3, (0, 0, -2.0)),
        ball(0.3, (9, 0, 2.0)),
        ball(0.3, (0, -9, 2.0)),
        ball(0.3, (float("nan"), 0, 2.0)),
        ball(0.3, (0, 0, float("inf"))),
    ],
    ids=["behind", "right", "above", "nan", "inf"],
)
def test_people_out_of_sight_are_left_out(person):
    with mesh() as model:
        assert np.array_equal(model.draw(GREY, [person]), GREY)
        other = ball(0.2, (0, 0, 2.0))
        assert np.array_equal(model.draw(GREY, [person, other]), model.draw(GREY, [other]))


@needs_gl
def test_a_body_through_the_camera_is_cut_not_smeared():
    """Half of the ball is behind the camera, beside the axis: only its own side is covered."""
    with mesh() as model:
        seen = changed(model.draw(GREY, [ball(0.3, (0.35, 0, 0.2))]))
    assert seen[H // 2, -1]
    assert not seen[:, : W // 2].any()


@needs_gl
def test_people_partly_outside_keep_their_place():
    with mesh() as model:
        whole = mesh(1.0, 3 * W, H)
        wide = whole.draw(np.full((H, 3 * W, 3), 128, np.uint8), [ball(0.3, (0.8, 0, 2.0))])
        whole.close()
        cut = model.draw(GREY, [ball(0.3, (0.8, 0, 2.0))])
    assert changed(cut).any()
    assert np.abs(cut.astype(int) - wide[:, W : 2 * W]).mean() < 1


@needs_gl
def test_renderers_side_by_side_and_in_another_thread():
    person = ball(0.3, (0, 0, 2.0))
    with mesh() as one, mesh() as two:
        wanted = one.draw(GREY, [person])
        assert np.array_equal(two.draw(GREY, [person]), wanted)
        found = []
        thread = threading.Thread(target=lambda: found.append(two.draw(GREY, [person])))
        thread.start()
        thread.join()
        assert np.array_equal(found[0], wanted)
        assert np.array_equal(one.draw(GREY, [person]), wanted)


@needs_gl
def test_more_people_than_before():
    with mesh() as model:
        people = [ball(0.05, (0.2 * k - 0.5, 0, 2.0), k + 1) for k in range(6)]
        few = model.draw(GREY, people[:1])
        many = changed(model.draw(GREY, people))
    assert np.array_equal(few, model_alone(people[0]))
    columns = [int(W / 2 + (0.2 * k - 0.5) * FOCAL / 2) for k in range(6)]
    assert all(many[H // 2, c] for c in columns)


def model_alone(person):
    with mesh() as model:
        return model.draw(GREY, [person])


def test_without_opengl_the_error_names_the_packages(monkeypatch):
    nowhere = {"egl": (("libNoEGL.so.9",),), "osmesa": (("libNoOSMesa.so.9",),)}
    monkeypatch.setattr(_gl, "_LIBRARIES", nowhere)
    monkeypatch.setattr(_gl.sys, "platform", "linux")
    monkeypatch.delenv("PYOPENGL_PLATFORM", raising=False)
    with pytest.raises(MissingDependencyError) as caught:
        _gl.context.__wrapped__()
    message = str(caught.value)
    assert "\n" not in message
    for word in ("libNoEGL.so.9 is missing", "libNoOSMesa.so.9 is missing", "apt-get install"):
        assert word in message
    for package in ("libegl1", "libgl1", "libosmesa6"):
        assert package in message


def test_osmesa_comes_after_egl(monkeypatch):
    tried = []

    def create(backend):
        tried.append(backend)
        if backend == "egl":
            raise AssertionError("no display")
        return _gl.GlContext(backend, "painter", None)

    monkeypatch.setattr(_gl, "_create", create)
    monkeypatch.setattr(_gl, "_missing_library", lambda backend: None)
    monkeypatch.setattr(_gl, "_forget_opengl", lambda: tried.append("forgotten"))
    monkeypatch.setattr(_gl.sys, "platform", "linux")
    monkeypatch.delenv("PYOPENGL_PLATFORM", raising=False)
    assert _gl.context.__wrapped__().backend == "osmesa"
    assert tried == ["egl", "forgotten", "osmesa"]
    monkeypatch.setenv("PYOPENGL_PLATFORM", "osmesa")
    tried.clear()
    _gl.context.__wrapped__()
    assert tried == ["osmesa"], "the user's choice comes first"


def test_normals_are_those_of_the_surface():
    vertices, faces = sphere(2.0, rounds=4)
    normals = VertexNormals(faces, len(vertices))(vertices.T.astype(np.float32)).T
    assert np.abs(normals - vertices / 2.0).max() < 0.02
    lonely = np.concatenate([vertices, [[9, 9, 9]]])
    with_lonely = VertexNormals(faces, len(lonely))(lonely.T.astype(np.float32)).T
    assert np.array_equal(with_lonely[-1], [0, 0, 0])
    assert np.allclose(with_lonely[:-1], normals)


def skeleton(opacity=1.0):
    return plugins.load("renderers", "skeleton")(None, W, H, opacity)


def test_skeleton_dots_are_on_the_keypoints_in_the_tracks_colour():
    person = DrawnPerson(2, track_colour(2), FOCAL, None, STANDING)
    out = skeleton().draw(GREY, [person])
    wanted = np.array(track_colour(2)) * 255
    for x, y, _ in STANDING:
        assert np.abs(out[int(y), int(x)] - wanted).max() < 40


def test_skeleton_leaves_out_what_was_not_seen():
    points = STANDING.copy()
    points[COCO17.index("left_wrist"), 2] = MIN_SCORE - 0.01
    points[COCO17.index("left_ankle")] = (np.nan, np.nan, 0.9)
    points[COCO17.index("right_ankle")] = (500, -300, 0.9)
    person = DrawnPerson(1, track_colour(1), FOCAL, None, points)
    assert changed(skeleton().draw(GREY, [person])).any()
    hidden = STANDING * (1, 1, 0)
    assert np.array_equal(
        skeleton().draw(GREY, [DrawnPerson(1, (1, 0, 0), FOCAL, None, hidden)]), GREY
    )
    one = np.zeros((17, 3))
    one[0] = (40.0, 30.0, 0.9)
    spot = changed(skeleton().draw(GREY, [DrawnPerson(1, (1, 0, 0), FOCAL, None, one)]))
    rows, columns = np.nonzero(spot)
    assert (rows.mean(), columns.mean()) == pytest.approx((29.5, 39.5), abs=0.6)


def test_skeleton_lines_grow_with_the_person():
    def ink(scale):
        points = np.column_stack([STANDING[:, :2] * scale, np.ones(17)])
        image = np.full((500, 700, 3), 128, np.uint8)
        model = plugins.load("renderers", "skeleton")(None, 700, 500, 1.0)
        person = DrawnPerson(1, track_colour(1), FOCAL, None, points)
        return changed(model.draw(image, [person]), image).sum()

    assert ink(4) > 5 * ink(1), "longer by 4 and wider too"


def test_colours_are_stable_and_tell_neighbours_apart():
    colours = [track_colour(i) for i in range(-2, 60)]
    assert colours == [track_colour(i) for i in range(-2, 60)]
    assert all(0 <= c <= 1 for colour in colours for c in colour)
    first = np.array([track_colour(i) for i in range(1, 11)])
    apart = np.linalg.norm(first[:, None] - first[None], axis=2)
    assert apart[~np.eye(10, dtype=bool)].min() > 0.15
    steps = [np.linalg.norm(np.subtract(a, b)) for a, b in pairwise(colours)]
    assert min(steps) > 0.15


@needs_gl
def test_wireframe_shows_edges_in_sight_only():
    """Lines over a part of the outline's inside; the far half of a ball adds none."""
    person = ball(0.3, (0.0, 0.0, 2.0))
    far = person.vertices_cam[:, 2] > 2.0
    front = FACES[~far[FACES].all(axis=1)]
    load = plugins.load("renderers", "wireframe")
    with load(FACES, W, H, 1.0) as whole, load(front, W, H, 1.0) as half, mesh() as filled:
        lines, solid = whole.draw(GREY, [person]), filled.draw(GREY, [person])
        assert np.abs(lines.astype(int) - half.draw(GREY, [person])).mean() < 0.2
    inside = cv2.dilate(changed(solid).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert not (changed(lines) & ~inside).any()
    weight = np.abs(lines.astype(int) - 128).sum() / np.abs(solid.astype(int) - 128).sum()
    assert 0.1 < weight < 0.95


def test_bones_join_the_bodys_joints():
    person = person_with_everything()
    with plugins.load("renderers", "bones")(None, W, H, 1.0) as model:
        seen = changed(model.draw(GREY, [person]))
    px = person.joints_cam[:, :2] / 2.0 * FOCAL + np.array([W, H]) / 2
    assert all(seen[int(y), int(x)] for x, y in px)
    assert not seen[:, : int(px[:, 0].min()) - 10].any()


def test_what_is_behind_the_camera_is_not_drawn():
    front = person_with_everything()
    behind = DrawnPerson(
        *(3, front.colour, FOCAL, None, None),
        *(front.joints_cam - [0, 0, 4], front.trails_cam - [0, 0, 4], "words"),
    )
    for name in ("bones", "trails", "captions"):
        with plugins.load("renderers", name)(None, W, H, 1.0) as model:
            assert changed(model.draw(GREY, [front])).any(), name
            assert not changed(model.draw(GREY, [behind])).any(), name


def test_captions_are_above_the_head_and_inside():
    person = person_with_everything()
    with plugins.load("renderers", "captions")(None, W, H, 1.0) as model:
        seen = changed(model.draw(GREY, [person]))
    rows = np.flatnonzero(seen.any(axis=1))
    head_y = person.joints_cam[15, 1] / 2.0 * FOCAL + H / 2
    assert rows.max() < head_y and rows.min() >= 0
