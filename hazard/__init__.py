"""Spatiotemporal landslide hazard: where, when and how large, epoch by epoch."""
