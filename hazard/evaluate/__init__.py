"""Scores of a run: one scoreboard for all schemes, models and baselines, and tables to draw from.

Nothing is fitted and nothing is drawn here: `hazard.predict` left the forecasts, `hazard.report`
makes the pictures.
"""
