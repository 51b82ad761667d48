"""Maps of big scenes: probability and mask from any network, tile by tile, in bounded memory."""
