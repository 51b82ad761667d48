"""The residual section of a forecast in one call: scores, calibration, structure, dependence."""
