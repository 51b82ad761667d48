"""Configurations of the detection commands: fit, evaluate, chain."""
