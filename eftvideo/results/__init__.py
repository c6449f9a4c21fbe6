"""What a run gives: rows as arrays, as an npz, as a table, and the meshes of its bodies."""
