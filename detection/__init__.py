"""Satellite images of many dates into multi-temporal landslide inventories."""
