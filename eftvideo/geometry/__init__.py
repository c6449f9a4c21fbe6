"""Numbers about space: cameras, rotations, skeletons, crops and pixels; no people, no files."""
