"""What makes and checks the files that are shipped, runnable from the repository."""
