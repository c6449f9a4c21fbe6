"""Raw pictures with exact times as a Matroska stream: the way to tell ffmpeg's standard input
when each frame is shown, which bare pixels cannot.

Element numbers are from the Matroska specification (RFC 9559); only the few needed are here.
"""

from __future__ import annotations

TICKS_PER_S = 10_000_000
"""Times are whole multiples of 100 ns."""

_NS_PER_TICK = 1_000_000_000 // TICKS_PER_S
_UNKNOWN_SIZE = b"\x01" + b"\xff" * 7


def stream_header(width_px: int, height_px: int) -> bytes:
    """What comes before the first frame of an RGB stream."""
    start = _element(
        0x1A45DFA3,  # EBML
        _number(0x4286, 1)
        + _number(0x42F7, 1)
        + _number(0x42F2, 4)
        + _number(0x42F3, 8)
        + _element(0x4282, b"matroska")
        + _number(0x4287, 4)
        + _number(0x4285, 2),
    )
    info = _element(
        0x1549A966,
        _number(0x2AD7B1, _NS_PER_TICK)
        + _element(0x4D80, b"eftvideo")
        + _element(0x5741, b"eftvideo"),
    )
    picture = _number(0xB0, width_px) + _number(0xBA, height_px) + _element(0x2EB524, b"RGB\x18")
    track = _element(
        0xAE,  # TrackEntry: number, UID, type (1: video), codec
        _number(0xD7, 1)
        + _number(0x73C5, 1)
        + _number(0x83, 1)
        + _element(0x86, b"V_UNCOMPRESSED")
        + _element(0xE0, picture),
    )
    segment = _identifier(0x18538067) + _UNKNOWN_SIZE
    return start + segment + info + _element(0x1654AE6B, track)


def frame_header(start: int, duration: int, num_bytes: int) -> bytes:
    """What comes before the `num_bytes` of pixels of a frame; nothing comes behind them.

    Args:
        start, duration: in ticks of 100 ns.
    """
    block_head = b"\x81\x00\x00\x00"  # track 1, 0 after the cluster's time, no flags
    block = _identifier(0xA1) + _size(len(block_head) + num_bytes) + block_head
    length = _number(0x9B, duration)
    group = _identifier(0xA0) + _size(len(length) + len(block) + num_bytes) + length + block
    time = _number(0xE7, start)
    return _identifier(0x1F43B675) + _size(len(time) + len(group) + num_bytes) + time + group


def _identifier(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _size(number: int) -> bytes:
    return (number | 1 << 56).to_bytes(8, "big")


def _element(identifier: int, content: bytes) -> bytes:
    return _identifier(identifier) + _size(len(content)) + content


def _number(identifier: int, value: int) -> bytes:
    return _element(identifier, value.to_bytes(8, "big"))
