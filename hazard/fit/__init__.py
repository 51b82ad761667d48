"""``python -m hazard.fit``: from cube to time-sliced hazard maps and a report."""
