"""Fits of every scheme, fold and model of a study, and their held-out forecasts."""
