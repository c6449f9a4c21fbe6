"""One HTML page about a run, with nothing outside it."""
