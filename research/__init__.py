"""Trials that are not shipped: each in a folder of its own, runnable from the repository."""
