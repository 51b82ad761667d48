"""The report of a run: pages and figures of what the run folder holds; nothing is computed."""
