"""Where landslides lie: kernel densities, hot spots, change between epochs, point patterns."""
