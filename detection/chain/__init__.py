"""``python -m detection.chain``: a network carried from region to region, and what it is worth."""
