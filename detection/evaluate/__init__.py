"""Evaluation of maps of probability: pooled scores with intervals, tables, figures, page parts."""
