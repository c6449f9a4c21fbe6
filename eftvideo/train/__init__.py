"""The training of the network that is shipped."""
