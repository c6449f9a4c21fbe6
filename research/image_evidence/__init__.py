"""Do pixels help? Pictures of drawn people, what learns from them, and the comparison."""
