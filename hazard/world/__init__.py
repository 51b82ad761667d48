"""The embedded world: a seeded, synthetic Gorkha-like study whose truth is known."""
