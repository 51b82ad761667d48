"""Calibration: does a probability of 0.2 come true in one case of five, and repairing it if not."""
