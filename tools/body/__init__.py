"""The free body of the package: from anny's population to a file in SMPL's layout."""
