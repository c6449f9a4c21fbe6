"""Four cameras see one athlete: the truth by triangulation, and how far one view's fits are off."""
