"""Write the configuration reference from the JSON schema, so that it cannot fall behind."""

import json
from pathlib import Path

from sphinx.application import Sphinx

from hazard.config.schema import HazardConfig
from stats.command.pages import escape, heading, table


def kind(field: dict) -> str:
    """What a field takes, in a few words."""
    if "$ref" in field:
        return field["$ref"].rsplit("/", 1)[-1]
    for key in ("anyOf", "oneOf"):
        if key in field:
            return " or ".join(dict.fromkeys(kind(option) for option in field[key]))
    if "enum" in field:
        return ", ".join(json.dumps(value) for value in field["enum"])
    if "const" in field:
        return json.dumps(field["const"])
    name = field.get("format", field.get("type", "any"))
    if name == "array":
        return "list of " + kind(field["items"]) if "items" in field else "list"
    limits = [
        f"{sign} {field[key]:g}"
        for key, sign in (
            ("minimum", ">="),
            ("exclusiveMinimum", ">"),
            ("maximum", "<="),
            ("exclusiveMaximum", "<"),
        )
        if key in field
    ]
    return " ".join([{"null": "none"}.get(name, name), *limits])


def section(name: str, definition: dict) -> list[str]:
    """One heading, its meaning and the table of its keys."""
    required = set(definition.get("required", ()))
    rows = [
        [
            key,
            kind(field),
            "needed" if key in required else json.dumps(field.get("default")),
            field.get("description", ""),
        ]
        for key, field in definition.get("properties", {}).items()
    ]
    return [
        heading(name, 2),
        escape(definition.get("description", "")) + "\n",
        table(["key", "takes", "default", "meaning"], rows),
    ]


def write_reference(app: Sphinx) -> None:
    """Write ``api/generated/configuration_reference.md``."""
    schema = HazardConfig.model_json_schema()
    parts = [heading("Configuration reference"), "Written from the schema of this version.\n"]
    parts += section("HazardConfig", schema)
    for name, definition in schema["$defs"].items():
        parts += section(name, definition)
    path = Path(app.srcdir) / "api" / "generated" / "configuration_reference.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(parts), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx, after the API pages have cleared old files."""
    app.connect("builder-inited", write_reference, priority=600)
    return {"parallel_read_safe": True}
