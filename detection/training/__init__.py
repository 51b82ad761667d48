"""Training of the networks: recipes, prepared networks, stored models, thresholds, grids."""
