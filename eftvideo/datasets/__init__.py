"""Readers of public ground truth: each file of a data set becomes an `evaluate_truth.Truth`."""
