"""People whose truth is known: motion capture on our body, seen by cameras and a noisy detector.

`motions` reads the poses, `postures` makes up the rare ones, `scenes` places bodies before
cameras, `observer` says what a detector would report. Training and benchmarks share them.
"""
