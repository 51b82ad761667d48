"""Models that look at one pixel at a time: the floor that a network has to beat."""
