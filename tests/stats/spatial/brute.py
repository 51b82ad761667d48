"""Sums over pairs of cells by loops, to hold the transforms against."""

import numpy as np


def pair_table(values, valid, cell_size=(1.0, 1.0)):
    """All ordered pairs of distinct valid cells: distance, azimuth, product, squared difference."""
    rows, columns = np.nonzero(valid)
    x = values[rows, columns]
    z = x - x.mean()
    first, second = np.nonzero(~np.eye(x.size, dtype=bool))
    dy = (rows[second] - rows[first]) * cell_size[0]
    dx = (columns[second] - columns[first]) * cell_size[1]
    return {
        "first": first, "distance": np.hypot(dy, dx),
        "azimuth": np.degrees(np.arctan2(dx, -dy)) % 180.0, "product": z[first] * z[second],
        "square": (x[first] - x[second]) ** 2, "z": z, "second": second,
    }  # fmt: skip


def smooth_noise(rng, shape, range_cells):
    """White noise smoothed by a Gaussian of the given standard deviation in cells."""
    from scipy import ndimage

    wide = ndimage.gaussian_filter(rng.standard_normal([n + 60 for n in shape]), range_cells)
    return wide[30 : 30 + shape[0], 30 : 30 + shape[1]] / wide.std()
