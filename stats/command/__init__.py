"""The one door of `stats` to files, terminals, plots and pages.

Command files, `hazard` and `detection` come in through here; the rest of `stats` never does.
This module itself imports nothing, so that errors and exit codes cost no start-up time.
"""
