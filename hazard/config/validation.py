"""A plain mapping to a frozen record, with every problem told at once and in the user's words."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from hazard.config.parsing import KeyPath, RawConfig, show_path
from hazard.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)

SHOWN_VALUE_LENGTH = 60


class Section(BaseModel):
    """Base of every part of a configuration: frozen, unknown keys refused, documented."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True
    )


def validate(model: type[Model], raw: RawConfig) -> Model:
    """Check `raw` against `model`.

    Raises:
        ConfigError: one line per problem: line number, key path, value found, what was
            expected, and the nearest known key where one was misspelt.

    Example:
        >>> from hazard.config.parsing import parse_yaml
        >>> class Demo(Section):
        ...     seed: int = 0
        >>> validate(Demo, parse_yaml("seeed: 3"))
        Traceback (most recent call last):
        stats.command.errors.ConfigError: config: 1 problem
          line 1, seeed: unknown key (found 3); expected one of seed; did you mean 'seed'?
    """
    problems = list(raw.problems)
    try:
        checked = model.model_validate(raw.values)
    except ValidationError as error:
        problems += [_describe(model, raw, found) for found in error.errors(include_url=False)]
    if problems:
        raise ConfigError(raw.source, list(dict.fromkeys(problems)))
    return checked


def _describe(model: type[BaseModel], raw: RawConfig, problem: Any) -> str:
    located, at = _locate(problem["loc"], raw.values)
    where = _where(located, raw)
    kind = problem["type"]
    if kind == "extra_forbidden":
        known = sorted(_known_keys(model, located[:-1], raw.values))
        key = str(located[-1])
        close = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        expected = f"; expected one of {', '.join(known)}" if known else ""
        return f"{where}: unknown key (found {_shown(problem['input'])}){expected}{hint}"
    if kind == "missing":
        field = next(
            (
                info
                for candidate in _models_at(model, located[:-1], raw.values)
                for name, info in candidate.model_fields.items()
                if name == located[-1]
            ),
            None,
        )
        meaning = f" ({field.description})" if field is not None and field.description else ""
        return f"{where}: missing; expected a value{meaning}"
    if kind == "union_tag_not_found":
        discriminator = problem["ctx"]["discriminator"].strip("'")
        return f"{where}.{discriminator}: missing; expected one kind of source to be named"
    if kind == "union_tag_invalid":
        context = problem["ctx"]
        tags = [tag.strip().strip("'") for tag in context["expected_tags"].split(",")]
        close = difflib.get_close_matches(str(context["tag"]), tags, n=1, cutoff=0.6)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        discriminator = context["discriminator"].strip("'")
        return (
            f"{where}.{discriminator}: found {context['tag']!r}; "
            f"expected one of {', '.join(tags)}{hint}"
        )
    message = _expectation(kind, problem["msg"])
    found = _shown(problem["input"]) if at is None else _shown(at)
    if kind == "value_error":
        return f"{where}: {message}"
    hint = ""
    if kind in ("literal_error", "enum") and isinstance(problem["input"], str):
        options = [
            option.strip("' ")
            for option in problem["ctx"]["expected"].replace(" or ", ", ").split(",")
        ]
        close = difflib.get_close_matches(problem["input"], options, n=1, cutoff=0.6)
        hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{where}: found {found}; expected {message}{hint}"


def _expectation(kind: str, message: str) -> str:
    """Turn the sentence of pydantic about the input into what should have been written."""
    if kind == "path_type":
        return "a file path"
    message = message.removeprefix("Value error, ")
    _, found, rule = message.partition(" should ")
    if not found:
        return message[:1].lower() + message[1:]
    return rule.removeprefix("be ") if rule.startswith("be ") else f"to {rule}"


def _where(path: KeyPath, raw: RawConfig) -> str:
    shown = show_path(path)
    if any(path[: len(o)] == o or o[: len(path)] == path for o in raw.overridden if path):
        return f"--set, {shown}"
    line = next(
        (raw.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in raw.lines), None
    )
    return shown if line is None else f"line {line}, {shown}"


def _locate(location: tuple[Any, ...], values: Any) -> tuple[KeyPath, Any]:
    """Drop the union tags that pydantic puts into a location: only real keys remain."""
    path: list[str | int] = []
    here = values
    for position, part in enumerate(location):
        last = position == len(location) - 1
        in_list = isinstance(here, list) and isinstance(part, int) and part < len(here)
        if in_list or (isinstance(here, dict) and part in here):
            here = here[part]
            path.append(part)
        elif last and isinstance(here, dict) and isinstance(part, str):
            path.append(part)
            return tuple(path), None
    return tuple(path), here


def _known_keys(model: type[BaseModel], path: KeyPath, values: Any) -> set[str]:
    return {name for found in _models_at(model, path, values) for name in found.model_fields}


def _models_at(model: type[BaseModel], path: KeyPath, values: Any) -> list[type[BaseModel]]:
    """Models that may stand at `path`; of a tagged union, the one whose tag was given."""
    candidates: list[Any] = [model]
    here = values
    for part in path:
        following: list[Any] = []
        for candidate in candidates:
            if isinstance(part, int):
                following.extend(candidate if isinstance(candidate, list) else [])
            elif isinstance(candidate, type) and issubclass(candidate, BaseModel):
                field = candidate.model_fields.get(part)
                if field is not None:
                    following.append(field.annotation)
        here = _child(here, part)
        candidates = [item for annotation in following for item in _unfold(annotation)]
    found = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
    if isinstance(here, dict) and "kind" in here:
        tagged = [m for m in found if _tag(m) == here["kind"]]
        return tagged or found
    return found


def _child(container: Any, part: str | int) -> Any:
    if isinstance(container, list) and isinstance(part, int):
        return container[part]
    return container.get(part) if isinstance(container, dict) else None


def _tag(model: type[BaseModel]) -> object:
    field = model.model_fields.get("kind")
    return None if field is None else next(iter(typing.get_args(field.annotation)), None)


def _unfold(annotation: Any) -> Iterator[Any]:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        for item in typing.get_args(annotation):
            yield from _unfold(item)
    elif origin is typing.Annotated:
        yield from _unfold(typing.get_args(annotation)[0])
    elif origin in (list, tuple):
        yield [
            model
            for item in typing.get_args(annotation)
            for model in _unfold(item)
            if isinstance(model, type)
        ]
    else:
        yield annotation


def _shown(value: Any) -> str:
    text = repr(str(value)) if isinstance(value, Path) else repr(value)
    return text if len(text) <= SHOWN_VALUE_LENGTH else text[: SHOWN_VALUE_LENGTH - 3] + "..."
