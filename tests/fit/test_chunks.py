"""Chunks cover a clip once, end at cuts, and begin warm where they can."""

import numpy as np
import pytest
import torch

from eftvideo.config import FitConfig
from eftvideo.config.fit import ChunkConfig
from eftvideo.fit.batch import Group, Streams, groups
from eftvideo.fit.chunks import Chunk, cut_chunks
from eftvideo.fit.crops import CropMaker, Rows
from eftvideo.fit.told import Told
from eftvideo.progress import Progress
from eftvideo.types import Detections, FrameDetections
from eftvideo.types.track import Tracks
from tests.eft_people import setup_of
from tests.setups import no_network


def fit_config(num_frames, warm_up_frames, **other):
    return FitConfig(chunks=ChunkConfig(num_frames, warm_up_frames), **other)


@pytest.mark.parametrize("cuts", [[], [0], [0, 5], [0, 1, 2], [7, 40]])
@pytest.mark.parametrize("num_frames", [1, 8, 1000])
def test_every_frame_is_kept_once_and_no_chunk_reaches_over_a_cut(cuts, num_frames):
    is_cut = [i in cuts for i in range(53)]
    chunks = cut_chunks(is_cut, fit_config(num_frames, 3))
    kept = [i for c in chunks for i in range(c.start, c.end)]
    assert kept == list(range(53))
    for c in chunks:
        assert c.end - c.start <= num_frames
        assert c.start - 3 <= c.first <= c.start
        assert not any(is_cut[c.first + 1 : c.end])


def test_chunks_of_a_shot_are_of_nearly_equal_length_and_warm_up():
    chunks = cut_chunks([False] * 25, fit_config(12, 4))
    assert chunks == [Chunk(0, 0, 8), Chunk(4, 8, 16), Chunk(12, 16, 25)]


def test_no_frames_no_chunks():
    assert cut_chunks([], fit_config(10, 2)) == []


@pytest.mark.parametrize("other", [{"warm_start": False}, {"method": "regress"}])
def test_without_warm_start_every_frame_is_a_chunk(other):
    chunks = cut_chunks([False] * 5, fit_config(12, 4, **other))
    assert chunks == [Chunk(i, i, i + 1) for i in range(5)]
    assert cut_chunks([False] * 5, fit_config(12, 4, method="smplify")) == [Chunk(0, 0, 5)]


def maker_of(num_frames, chunks, needs="keypoints"):
    """Two people; the second is seen in every other frame, and nobody in the sixth."""
    two = Detections(
        np.tile(np.float32([10, 10, 90, 200]), (2, 1)),
        np.ones(2, np.float32),
        np.ones((2, 17, 3), np.float32),
        np.array([3, 8]),
    )
    frames = [
        FrameDetections(t, t / 25, two.select(np.arange(0 if t == 5 else 2 - t % 2)), t == 0)
        for t in range(num_frames)
    ]
    return CropMaker(Tracks.gather(frames), setup_of(no_network(needs=needs), None, chunks=chunks))


@pytest.mark.parametrize(
    ("needs", "limits", "num_groups"),
    [
        pytest.param("keypoints", {}, 1, id="all"),
        pytest.param("keypoints", {"frames_at_once": 8}, 3, id="frames"),
        pytest.param("keypoints", {"images_at_once": 12}, 1, id="no pixels"),
        pytest.param("image", {"images_at_once": 14}, 3, id="pixels"),
        pytest.param("image", {"images_at_once": 1}, 5, id="always one chunk"),
    ],
)
def test_groups_keep_every_sighting_once_and_hold_no_more_than_they_may(needs, limits, num_groups):
    cfg = ChunkConfig(num_frames=4, warm_up_frames=1, **limits)
    maker = maker_of(20, cfg, needs)
    chunks = cut_chunks([False] * 20, maker.setup.cfg.fit)
    found = list(groups(chunks, maker, maker.setup))
    assert len(found) == num_groups
    assert [c for group in found for c in group.chunks] == chunks
    kept = Rows.cat([group.rows.select(group.is_kept) for group in found])
    for name, want in vars(maker.rows).items():
        assert np.array_equal(getattr(kept, name), want), name
    for group in found:
        assert group.chunks[-1].end - group.chunks[0].start <= cfg.frames_at_once
        if needs == "image" and len(group.chunks) > 1:
            assert len(group.rows) <= cfg.images_at_once
        assert len(group.is_kept) == len(group.rows)
        assert (~group.is_kept).sum() == sum(
            len(maker.rows_between(c.first, c.start)) for c in group.chunks
        )


def test_a_stream_is_one_person_of_one_chunk():
    maker = maker_of(8, ChunkConfig(num_frames=4, warm_up_frames=1))
    (group,) = groups(cut_chunks([False] * 8, maker.setup.cfg.fit), maker, maker.setup)
    rows, streams = group.rows, group.streams(0.25)
    assert sorted(i for stream in streams.rows for i in stream) == list(range(len(rows)))
    which = [(int(rows.who[s[0]]), rows.at[list(s)].tolist()) for s in streams.rows]
    # The second chunk begins with the fourth frame, to warm up; the sixth is empty.
    assert which == [(0, [0, 1, 2, 3]), (1, [0, 2]), (0, [3, 4, 6, 7]), (1, [4, 6])]
    first = [s[0] for s in streams.rows]
    assert streams.cold.nonzero()[0].tolist() == sorted(first)


@pytest.mark.parametrize(("max_gap_s", "cold"), [(0.05, True), (0.079, True), (0.08, False)])
def test_cold_after_a_gap(max_gap_s, cold):
    maker = maker_of(5, ChunkConfig())
    group = Group([Chunk(0, 0, 5)], [maker.rows])
    streams = group.streams(max_gap_s)
    assert maker.rows.at[list(streams.rows[1])].tolist() == [0, 2, 4]
    assert not streams.cold[list(streams.rows[0][1:])].any()
    assert (streams.cold[list(streams.rows[1][1:])] == cold).all()


def test_rows_that_are_alone_start_from_nobody():
    streams = Streams.alone(3)
    assert streams.rows == ((0,), (1,), (2,))
    assert streams.cold.shape == (3,) and streams.cold.dtype == bool
    assert Streams.alone(0).rows == ()


def test_progress_of_a_group_shorter_than_its_warm_up():
    told = []
    progress = Progress()
    progress.advance = lambda frames, **figures: told.append((frames, figures["people"]))
    maker = maker_of(8, ChunkConfig())
    group = Group([Chunk(0, 7, 8)], [maker.rows])
    frames = Told(group, progress)
    kept = np.flatnonzero(group.is_kept)
    frames.done(torch.arange(len(group.rows)), torch.ones(len(group.rows)))
    assert told == [(1, len(kept))] and len(kept) < len(group.rows)
