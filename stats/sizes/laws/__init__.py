"""Families of size laws: one file each, pure JAX functions of (x, theta) that name no dtype."""
