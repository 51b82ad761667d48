"""Statistics of the first six Gorkha epochs, which the first world was calibrated to.

Measured with `hazard.world.summary` on the published area densities (Kincey et al., 2021, Earth
Surface Dynamics 9, 823-844, doi:10.5194/esurf-9-823-2021, through ashokdahal/LandslideHazard):
21,360 cells of 1 km. AUC are out of time, trained on all earlier epochs.
"""

from __future__ import annotations

import numpy as np

from hazard.world.summary import SeriesSummary

OBSERVED = SeriesSummary(
    prevalence=np.array([0.215, 0.177, 0.142, 0.107, 0.197, 0.093]),
    quantiles=np.array(
        [
            [0.704, 9.147, 17.53, 55.231],
            [0.409, 4.963, 12.244, 35.19],
            [0.192, 1.842, 3.875, 12.379],
            [0.176, 1.868, 5.514, 25.464],
            [0.263, 2.621, 6.099, 36.102],
            [0.186, 2.146, 5.883, 43.624],
        ]
    ),
    log_sd=np.array([1.882, 1.749, 1.650, 1.691, 1.719, 1.764]),
    moran_presence=np.array([0.434, 0.363, 0.264, 0.198, 0.320, 0.202]),
    moran_log_density=np.array([0.442, 0.443, 0.365, 0.401, 0.341, 0.488]),
    autocorrelation=np.array(
        [
            [0.451, 0.294, 0.196, 0.176, 0.149],
            [0.382, 0.268, 0.200, 0.187, 0.172],
            [0.280, 0.170, 0.118, 0.097, 0.069],
            [0.223, 0.090, 0.038, 0.035, 0.005],
            [0.337, 0.201, 0.130, 0.110, 0.098],
            [0.223, 0.106, 0.043, 0.020, 0.024],
        ]
    ),
    after_positive=np.array([0.423, 0.343, 0.227, 0.453, 0.163]),
    after_negative=np.array([0.110, 0.098, 0.088, 0.166, 0.076]),
    log_correlation=np.array([0.462, 0.382, 0.358, 0.335, 0.360]),
    ever=0.385,
    association=np.array(
        [
            [1.000, 0.336, 0.345, 0.220, 0.453, 0.213],
            [0.336, 1.000, 0.268, 0.218, 0.357, 0.204],
            [0.345, 0.268, 1.000, 0.157, 0.340, 0.164],
            [0.220, 0.218, 0.157, 1.000, 0.224, 0.212],
            [0.453, 0.357, 0.340, 0.224, 1.000, 0.118],
            [0.213, 0.204, 0.164, 0.212, 0.118, 1.000],
        ]
    ),
    area_km2=np.array([91.9, 45.7, 14.2, 11.1, 29.2, 11.4]),
)
# (persistence: mean of the past, LightGBM with the past) for the 5th and the 6th epoch.
OBSERVED_AUC = {4: (0.852, 0.860), 5: (0.759, 0.809)}
PERSISTENCE_AUC_BAND = (0.74, 0.87)
LIGHTGBM_AUC_BAND = (0.78, 0.89)
