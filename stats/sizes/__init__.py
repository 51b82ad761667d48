"""Frequency-area laws of landslides."""
