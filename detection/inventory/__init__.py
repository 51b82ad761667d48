"""Multi-temporal inventories: what is new, expanded, persistent, recovered or unobserved."""
