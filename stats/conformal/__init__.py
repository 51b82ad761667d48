"""Conformal prediction of zero-inflated densities, and what it can promise of how many epochs."""
