"""Exemplar fine-tuning: the network's weights, tuned for each person and frame."""
