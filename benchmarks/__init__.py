"""Measurements, runnable from the repository; docs/accuracy.md has their figures."""
