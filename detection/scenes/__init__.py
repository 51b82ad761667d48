"""Scenes: what a satellite saw of one place on one date, with what is known of the ground."""
