"""Statistics of landslides: size laws, densities, verification, residuals and uncertainty.

Everything here takes arrays and returns arrays. Files, plots, tables and the command line pass
through one door, `stats.command`.
"""
