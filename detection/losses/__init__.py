"""Losses of landslide maps as data: overlap, cross-entropy, and their sums over side outputs."""
