"""Patches: squares cut from scenes, split without leaks, with a manifest of what went where."""
