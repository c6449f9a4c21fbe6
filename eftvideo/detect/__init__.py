"""The people in the pictures: a detector, and what helps it where it fails."""
