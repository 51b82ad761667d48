"""How a detector sees landslides: recall, false alarms, splits, merges, and carrying them on."""
