"""Scores of forecasts: one term per case where a score is a mean, counts or curves where not.

Terms are added up by `stats.aggregate`; intervals come from `stats.resampling`. The three steps
are kept apart so that every score gets the same cases, the same sums and the same resamples.
"""
