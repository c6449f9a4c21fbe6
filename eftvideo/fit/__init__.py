"""From tracks to SMPL: crops, the network's own answers, and three ways to fit."""
