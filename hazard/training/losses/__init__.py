"""Losses as pure functions; what has no weight counts nowhere, and sums are float32."""
