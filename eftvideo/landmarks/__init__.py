"""The landmark network: where it looks, what it says, and how it is computed."""
