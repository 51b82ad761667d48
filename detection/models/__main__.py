"""Table of all networks: ``python -m detection.models [NAME.KEY=VALUE ...]``."""

from __future__ import annotations

import json
import sys
from typing import Any

USAGE = """usage: python -m detection.models [NAME.KEY=VALUE ...]

Markdown table of all networks with their default settings, or with those given, as in
python -m detection.models unet.variant=nepal unet.bands=5 adsms_unet.filters=16"""


def main(arguments: list[str]) -> int:
    """Print the table; 2 for arguments that are not understood."""
    if {"-h", "--help"} & set(arguments):
        print(USAGE)
        return 0
    settings: dict[str, dict[str, Any]] = {}
    for argument in arguments:
        name, _, rest = argument.partition(".")
        key, equals, value = rest.partition("=")
        if not (name and key and equals):
            print(f"{argument!r}; use NAME.KEY=VALUE\n\n{USAGE}", file=sys.stderr)
            return 2
        try:
            settings.setdefault(name, {})[key] = json.loads(value)
        except json.JSONDecodeError:
            settings.setdefault(name, {})[key] = value
    from detection.models.parameters import table
    from detection.models.registry import model_config

    try:
        for name, chosen in settings.items():
            model_config(name, chosen)
        print(table(settings))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
