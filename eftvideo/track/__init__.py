"""Who is who over time: detections linked to tracks, and their keypoints mended."""

from __future__ import annotations

from eftvideo.track.left_right import mend_left_right
from eftvideo.track.link import drop_unseen, link_tracks
from eftvideo.track.outliers import soften_outliers

__all__ = ["drop_unseen", "link_tracks", "mend_left_right", "soften_outliers"]
