"""Statistics of values in space."""
