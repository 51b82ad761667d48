"""Polygons of a mapped scene: outlines of pixels, whole across strips, with areas and facts."""
