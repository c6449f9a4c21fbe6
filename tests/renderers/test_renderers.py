"""Drawing: people where the camera sees them, in front of whom they stand, whatever they do."""

import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest
from renderer_scene import (
    FACES,
    FOCAL,
    GREY,
    H,
    W,
    ball,
    changed,
    has_opengl,
    mesh,
    needs_gl,
    person_with_everything,
    sphere,
)

from eftvideo import plugins
from eftvideo.errors import MissingDependencyError
from eftvideo.renderers import DrawnPerson, Hidden, _gl
from eftvideo.renderers._normals import VertexNormals
from eftvideo.types import Masks


@pytest.fixture(params=plugins.available("renderers"))
def renderer(request):
    if request.param in ("pyrender_mesh", "wireframe") and not has_opengl():
        pytest.skip("no OpenGL on this machine")
    return plugins.load("renderers", request.param)


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


@needs_gl
def test_what_is_hidden_shows_what_is_farther_and_else_the_picture():
    """Two balls, one behind the other; of the nearer the right half is somebody's in front."""
    near, far = ball(0.25, (0.0, 0.0, 2.0), 1), ball(0.6, (0.0, 0.0, 4.0), 2)
    shares = np.zeros((1, 64, 64))
    shares[:, :, 32:] = 1.0
    front = Masks.of(shares, np.array([[W / 2, H / 2, 100.0, 0.0]]))
    half = replace(near, hidden=Hidden(Masks.none(1), front, front))
    with mesh() as model:
        alone, whole = model.draw(GREY, [half]), model.draw(GREY, [near])
        behind, both = model.draw(GREY, [far]), model.draw(GREY, [half, far])
    middle = W // 2
    np.testing.assert_array_equal(alone[:, : middle - 2], whole[:, : middle - 2])
    np.testing.assert_array_equal(alone[:, middle + 3 :], GREY[:, middle + 3 :])
    np.testing.assert_array_equal(both[:, middle + 3 :], behind[:, middle + 3 :])
    inside = cv2.erode(changed(whole).astype(np.uint8), np.ones((5, 5))) > 0
    inside[:, middle - 2 :] = False
    np.testing.assert_array_equal(both[inside], whole[inside])
    assert inside.sum() > 500 and changed(behind)[:, middle + 3 :].sum() > 500
