"""Ground motion to intensity and back: Worden et al. (2012), PGA branch, exactly reversible.

Worden, C. B., Gerstenberger, M. C., Rhoades, D. A. and Wald, D. J. (2012), Probabilistic
relationships between ground-motion parameters and modified Mercalli intensity in California,
Bulletin of the Seismological Society of America 102(1), 204-221, doi:10.1785/0120110156.

With y the PGA in cm/s2 (larger horizontal component), without distance and magnitude terms:

    MMI = 1.78 + 1.55 log10 y     for log10 y <= 1.57,
    MMI = -1.60 + 3.70 log10 y    above,

sigma 0.66 MMI for the prediction of MMI, 0.35 in log10 units for that of PGA. Below MMI 2 ShakeMap
continues with 1.71 + 2.08 log10 y. Coefficients were compared with the class WGRW12 of the USGS
ShakeMap code (shakelib), which implements the paper. The printed breaks are rounded (1.57 and MMI
4.22), which leaves steps of up to 0.005 MMI; here the lines meet where they cross (log10 y =
1.5721, MMI 4.217, and 0.1321, MMI 1.985), so that the conversion is continuous and invertible.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from hazard.geo.grid import FloatArray

NAME = "Worden et al. (2012), PGA, without distance and magnitude terms"
SIGMA_LOG10_PGA = 0.35
SIGMA_MMI = 0.66
CM_PER_M = 100.0

# (intercept, slope) of MMI over log10 PGA [cm/s2], from weak to strong.
LINES = ((1.71, 2.08), (1.78, 1.55), (-1.60, 3.70))


def _crossings() -> tuple[tuple[float, ...], tuple[float, ...]]:
    logs = tuple((low[0] - high[0]) / (high[1] - low[1]) for low, high in itertools.pairwise(LINES))
    mmis = tuple(a + b * at for (a, b), at in zip(LINES[:-1], logs, strict=True))
    return logs, mmis


LOG10_BREAKS, MMI_BREAKS = _crossings()
_INTERCEPT = np.array([line[0] for line in LINES])
_SLOPE = np.array([line[1] for line in LINES])


def mmi_from_pga(pga_m_s2: FloatArray) -> FloatArray:
    """Modified Mercalli intensity expected at a peak ground acceleration.

    Args:
        pga_m_s2: PGA [m/s2], positive; NaN stays NaN.

    Example:
        >>> mmi_from_pga(np.array([0.1, 1.0, 5.0])).round(2)
        array([3.33, 5.8 , 8.39])
    """
    log = np.log10(np.asarray(pga_m_s2, dtype=np.float64) * CM_PER_M)
    line = np.searchsorted(LOG10_BREAKS, log)
    # NaN sorts beyond the last break, and stays NaN in the product.
    line = np.minimum(line, len(LINES) - 1)
    return _INTERCEPT[line] + _SLOPE[line] * log


def pga_from_mmi(mmi: FloatArray) -> FloatArray:
    """Peak ground acceleration [m/s2] at an intensity: the inverse of `mmi_from_pga`.

    Args:
        mmi: modified Mercalli intensity; NaN stays NaN.

    Example:
        >>> bool(np.allclose(mmi_from_pga(pga_from_mmi(np.arange(1.0, 11.0))), range(1, 11)))
        True
    """
    value = np.asarray(mmi, dtype=np.float64)
    line = np.minimum(np.searchsorted(MMI_BREAKS, value), len(LINES) - 1)
    return 10.0 ** ((value - _INTERCEPT[line]) / _SLOPE[line]) / CM_PER_M


def pga_ln_sigma(mmi: FloatArray, *, band_width_mmi: float = 0.0) -> FloatArray:
    """Standard deviation of ln PGA when it is derived from an intensity band.

    The conversion's own sigma (0.35 ln 10 = 0.806) and the spread of an intensity that is only
    known to lie in a band (uniform, width / sqrt(12), times the slope d ln PGA / d MMI), added
    in squares.

    Args:
        mmi: intensity (band midpoint).
        band_width_mmi: full width of the band; 0.5 means +-0.25.

    Example:
        >>> pga_ln_sigma(np.array([3.0, 7.0]), band_width_mmi=0.5).round(3)
        array([0.834, 0.811])
    """
    value = np.asarray(mmi, dtype=np.float64)
    line = np.minimum(np.searchsorted(MMI_BREAKS, value), len(LINES) - 1)
    slope = math.log(10.0) / _SLOPE[line]
    quantisation = slope * band_width_mmi / math.sqrt(12.0)
    sigma = np.hypot(SIGMA_LOG10_PGA * math.log(10.0), quantisation)
    return np.where(np.isnan(value), np.nan, sigma)
