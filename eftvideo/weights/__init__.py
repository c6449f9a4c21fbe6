"""Weight files: where they are, how they are fetched, how they are read and never run."""
