"""The errors of `hazard` and `detection`: those of `stats.command`, under this room's name."""

from stats.command.errors import ConfigError, DataError, UsageError, UserError

__all__ = ["ConfigError", "DataError", "UsageError", "UserError"]
