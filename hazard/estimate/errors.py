"""Why a scheme, a fold or a model cannot be fitted: a row of the scoreboard, no crash."""

from __future__ import annotations

from hazard.errors import UserError


class CannotFitError(UserError):
    """The study does not allow this fit; the message is the reason that tables show."""
