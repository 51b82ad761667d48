"""Georeferenced arrays to one validated data cube: layers, mask, patches, folds and batches."""
