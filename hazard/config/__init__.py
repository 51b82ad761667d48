"""YAML to a frozen, checked record: parsing (generic) and the schema of a hazard study."""
