"""``python -m detection.fit``: from scenes to trained models, scores and a report."""
