"""`python -m eftvideo`."""

from eftvideo.cli import app

app()
