"""Pieces cover a clip once, end at cuts, and begin warm where they can."""

import pytest

from eftvideo.fit.chunks import Piece, cut_pieces


@pytest.mark.parametrize("cuts", [[], [0], [0, 5], [0, 1, 2], [7, 40]])
@pytest.mark.parametrize("piece_frames", [1, 8, 1000])
def test_every_frame_is_kept_once_and_no_piece_reaches_over_a_cut(cuts, piece_frames):
    is_cut = [i in cuts for i in range(53)]
    pieces = cut_pieces(is_cut, piece_frames, 3)
    kept = [i for p in pieces for i in range(p.start, p.end)]
    assert kept == list(range(53))
    for p in pieces:
        assert p.end - p.start <= piece_frames
        assert p.start - 3 <= p.first <= p.start
        assert not any(is_cut[p.first + 1 : p.end])


def test_pieces_of_a_shot_are_of_nearly_equal_length_and_run_in():
    pieces = cut_pieces([False] * 25, 12, 4)
    assert pieces == [Piece(0, 0, 8), Piece(4, 8, 16), Piece(12, 16, 25)]


def test_no_frames_no_pieces():
    assert cut_pieces([], 10, 2) == []
