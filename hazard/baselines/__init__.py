"""Forecasts that any network has to beat: constants, persistence, regression, boosted trees."""
