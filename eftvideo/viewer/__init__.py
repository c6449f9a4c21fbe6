"""A result in 3D in the browser."""
