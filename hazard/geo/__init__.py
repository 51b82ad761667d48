"""Files to georeferenced arrays and back: grids, rasters, inventories, terrain and triggers.

Modules are imported by name (`hazard.geo.grid`); this file imports nothing, so that a command
starts without GDAL.
"""
