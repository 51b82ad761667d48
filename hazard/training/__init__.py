"""Training of any network: pure steps, curricula as data, checkpoints; shared with detection."""
