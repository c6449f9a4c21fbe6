"""Tests of the trials look at the same clip and the same finished run as those of the package."""

from tests.conftest import _own_log, body, finished, tiny_clip

__all__ = ["_own_log", "body", "finished", "tiny_clip"]
