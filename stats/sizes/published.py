r"""Published size statistics of landslide inventories: query and print the table of facts.

Exponents are printed in two conventions that differ by one, of the density ("pdf", 2.3 to 2.5 is
usual) and of the cumulative distribution ("cumulative", the alpha of this package): each record
names its own, and whether the value was read in the source named (`verified`).
"""

from __future__ import annotations

from collections.abc import Iterable

from stats.sizes.published_values import PUBLISHED, PublishedValue

__all__ = ["PUBLISHED", "PublishedValue", "markdown_table", "published"]


def published(
    *, inventory: str | None = None, parameter: str | None = None, verified: bool | None = None
) -> tuple[PublishedValue, ...]:
    """Records that match, in the order of the table.

    Args:
        inventory: part of the name, upper and lower case alike.
        parameter: exact name.
        verified: True for values read in their source, False for the others.

    Example:
        >>> [record.value for record in published(inventory="kingdom")]
        [1.71, None]
    """
    return tuple(
        record
        for record in PUBLISHED
        if (inventory is None or inventory.lower() in record.inventory.lower())
        and (parameter is None or parameter == record.parameter)
        and (verified is None or verified == record.verified)
    )


def markdown_table(records: Iterable[PublishedValue]) -> str:
    """The records as a Markdown table for the docs.

    Example:
        >>> print(markdown_table(published(inventory="kingdom", parameter="exponent")))
        | inventory | parameter | value | unit | convention | source | read there | note |
        ...
    """
    head = ("inventory", "parameter", "value", "unit", "convention", "source", "read there", "note")
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for record in records:
        source = record.source
        if record.doi is not None:
            source = f"[{source}](https://doi.org/{record.doi})"
        cells = (
            record.inventory,
            record.parameter,
            _printed(record),
            record.unit,
            record.convention or "",
            source,
            "yes" if record.verified else "no",
            record.note,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _printed(record: PublishedValue) -> str:
    """Value with its range, as in 1.71 (1.69 to 1.73), 1.4 to 3.4 or > 21000."""
    value, low, high = (
        None if number is None else f"{number:g}"
        for number in (record.value, record.low, record.high)
    )
    if low is not None and high is not None:
        return f"{low} to {high}" if value is None else f"{value} ({low} to {high})"
    if value is None:
        return f"> {low}" if low is not None else f"< {high}"
    return value
