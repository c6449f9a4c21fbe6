"""A result drawn: the overlay of a run, and all that `eftvideo render` shows."""
