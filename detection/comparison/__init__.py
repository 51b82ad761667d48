"""A detected inventory against a reference: objects, areas, sizes and densities per epoch."""
