"""Errors that a user can act on, and the exit code of each.

Exit codes: 0 success, 1 other failure, 2 usage or configuration, 3 data, 130 interrupted.
Standard library only: the bare GPU image and the start of every command import this.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_DATA = 3
EXIT_INTERRUPTED = 130


class UserError(Exception):
    """A failure explained in one message: what, where, what was found, what was expected.

    Attributes:
        exit_code: exit status that a command returns for it.

    Example:
        >>> UserError("run folder `runs/a` is locked by process 12").exit_code
        1
    """

    exit_code: int = EXIT_FAILURE


class UsageError(UserError):
    """The command line asks for something that cannot be (exit code 2)."""

    exit_code = EXIT_USAGE


class ConfigError(UsageError):
    r"""A configuration file is wrong (exit code 2).

    Attributes:
        problems: one line per wrong key.

    Example:
        >>> str(ConfigError("a.yaml", ["seed: found 'x'; expected an integer"]))
        "a.yaml: 1 problem\n  seed: found 'x'; expected an integer"
    """

    def __init__(self, source: str, problems: list[str]) -> None:
        self.source = source
        self.problems = list(problems)
        noun = "problem" if len(problems) == 1 else "problems"
        super().__init__("\n  ".join([f"{source}: {len(problems)} {noun}", *problems]))


class DataError(UserError):
    """A file or table cannot be used as it is (exit code 3).

    Example:
        >>> str(DataError("dem.tif", found="no coordinate system", expected="a projected one"))
        'dem.tif: found no coordinate system; expected a projected one'
    """

    exit_code = EXIT_DATA

    def __init__(self, source: object, *, found: str, expected: str) -> None:
        self.source = str(source)
        self.found = found
        self.expected = expected
        super().__init__(f"{source}: found {found}; expected {expected}")
