"""Clips in and out: frames with their times, cuts, encoded video, pictures."""
