"""SMPLify, the baseline: the body's own parameters, moved until the keypoints fit."""
