"""YAML to a plain mapping: duplicate keys refused, environment references and overrides applied.

Nothing here knows what a study is; `detection` reads its configurations through the same door.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hazard.errors import ConfigError

KeyPath = tuple[str | int, ...]

_REFERENCE = re.compile(r"\$(\$)?\{([A-Za-z_][A-Za-z0-9_]*)(?::-((?:[^{}]|\{[^{}]*\})*))?\}")


@dataclass(frozen=True, kw_only=True)
class RawConfig:
    """A parsed but unchecked configuration.

    Attributes:
        source: file name for messages.
        values: nested mapping as written, references replaced, overrides applied.
        lines: line of each key path in the file (1-based); overridden keys are absent.
        overridden: key paths that came from ``--set``.
        problems: duplicate keys, unset references and malformed overrides. They are told
            together with those that `hazard.config.validation.validate` finds.
    """

    source: str
    values: dict[str, Any]
    lines: dict[KeyPath, int] = field(default_factory=dict)
    overridden: frozenset[KeyPath] = frozenset()
    problems: tuple[str, ...] = ()


def read_yaml(
    path: Path, *, overrides: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> RawConfig:
    """Read one YAML file, replace ``${NAME:-default}``, apply ``a.b=c`` overrides.

    Args:
        path: YAML file whose top level is a mapping.
        overrides: ``key.path=value`` texts; the value is read as YAML, list items by number.
        environment: variables for references; None is the process environment.

    Raises:
        ConfigError: missing or unreadable file, or bad YAML: nothing more can be checked.
    """
    source = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(source, ["found no such file; expected a YAML file"]) from None
    except IsADirectoryError:
        raise ConfigError(source, ["found a folder; expected a YAML file"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(source, [f"cannot be read as UTF-8 text: {error}"]) from None
    return parse_yaml(text, source=source, overrides=overrides, environment=environment)


def parse_yaml(
    text: str,
    *,
    source: str = "config",
    overrides: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> RawConfig:
    r"""As `read_yaml`, from text.

    Example:
        >>> raw = parse_yaml("a: {b: 1}\nc: ${X:-d}", overrides=["a.b=2"], environment={})
        >>> raw.values
        {'a': {'b': 2}, 'c': 'd'}
    """
    problems: list[str] = []
    lines: dict[KeyPath, int] = {}
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(source, [f"not valid YAML: {_one_line(error)}"]) from None
    if not isinstance(values, dict):
        kind = "an empty file" if values is None else f"a {type(values).__name__}"
        raise ConfigError(source, [f"found {kind}; expected a mapping of keys to values"])
    if node is not None:
        _collect(node, (), lines, problems)
    values = _replace(values, (), os.environ if environment is None else environment, problems)
    overridden: set[KeyPath] = set()
    for override in overrides:
        _override(values, override, overridden, problems)
    return RawConfig(
        source=source,
        values=values,
        lines={p: n for p, n in lines.items() if not _under(p, overridden)},
        overridden=frozenset(overridden),
        problems=tuple(problems),
    )


def show_path(path: KeyPath) -> str:
    """A key path as the user would write it after ``--set``.

    Example:
        >>> show_path(("epochs", 0, "name"))
        'epochs.0.name'
    """
    return ".".join(str(part) for part in path) or "(top level)"


def _under(path: KeyPath, parents: set[KeyPath]) -> bool:
    return any(path[: len(parent)] == parent for parent in parents)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _collect(
    node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], problems: list[str]
) -> None:
    """Remember the line of each key; `yaml.safe_load` itself lets a duplicate key win silently."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in seen:
                where = show_path((*path, key))
                problems.append(
                    f"{where}: found twice, lines {seen[key]} and {line}; expected one value"
                )
            seen[key] = line
            lines[(*path, key)] = line
            _collect(value_node, (*path, key), lines, problems)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*path, index)] = item.start_mark.line + 1
            _collect(item, (*path, index), lines, problems)


def _replace(value: Any, path: KeyPath, environment: Mapping[str, str], problems: list[str]) -> Any:
    if isinstance(value, dict):
        return {
            str(k): _replace(v, (*path, str(k)), environment, problems) for k, v in value.items()
        }
    if isinstance(value, list):
        return [_replace(v, (*path, i), environment, problems) for i, v in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value

    def substitute(match: re.Match[str]) -> str:
        escaped, name, default = match.groups()
        if escaped:
            return match.group(0)[1:]
        # As in a shell, `:-` also stands in for a variable that is set but empty.
        found = environment.get(name) or default
        if found is None:
            problems.append(
                f"{show_path(path)}: found ${{{name}}}, which is not set; "
                f"expected it in the environment, or a default as in ${{{name}:-value}}"
            )
            return match.group(0)
        return found

    return _REFERENCE.sub(substitute, value)


def _override(
    values: dict[str, Any], text: str, overridden: set[KeyPath], problems: list[str]
) -> None:
    key, separator, value_text = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not separator or not all(parts):
        problems.append(f"--set {text}: expected key.path=value")
        return
    try:
        value = yaml.safe_load(value_text)
    except yaml.YAMLError as error:
        problems.append(f"--set {text}: the value is not valid YAML: {_one_line(error)}")
        return
    target: Any = values
    path: list[str | int] = []
    for position, part in enumerate(parts):
        last = position == len(parts) - 1
        step: str | int = part
        if isinstance(target, list):
            if not part.isdigit() or int(part) >= len(target):
                problems.append(
                    f"--set {text}: found {part!r} at {show_path(tuple(path))}; "
                    f"expected an item number from 0 to {len(target) - 1}"
                )
                return
            step = int(part)
        elif not isinstance(target, dict):
            problems.append(
                f"--set {text}: {show_path(tuple(path))} holds a single value "
                f"({target!r}); expected a mapping or a list"
            )
            return
        path.append(step)
        if last:
            target[step] = value
        else:
            if isinstance(target, dict) and target.get(part) is None:
                if parts[position + 1].isdigit():
                    problems.append(
                        f"--set {text}: {show_path(tuple(path))} is not in the file, so it has "
                        f"no item {parts[position + 1]}; expected the whole list, as in "
                        f"--set {show_path(tuple(path))}=[...]"
                    )
                    return
                target[part] = {}
            target = target[step]
    overridden.add(tuple(path))
