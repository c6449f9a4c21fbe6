"""Photos with human labels: what stands in them, what the program sees, how far that is off."""
