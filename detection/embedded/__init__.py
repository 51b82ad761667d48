"""Embedded scenes: hazard's world rendered as images of several dates, with true masks."""
