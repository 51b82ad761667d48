"""Augmentation on the device: one affine map per sample, and radiometry per band and date."""
