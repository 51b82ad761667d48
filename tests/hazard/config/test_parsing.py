"""YAML, references and overrides."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hazard.config.parsing import parse_yaml, read_yaml, show_path
from hazard.errors import ConfigError

KEYS = st.text("abcdefgh_", min_size=1, max_size=6)
SCALARS = st.one_of(st.integers(), st.booleans(), st.text("xyz /-.", max_size=8), st.none())
TREES = st.dictionaries(
    KEYS, st.recursive(SCALARS, lambda inner: st.dictionaries(KEYS, inner, max_size=3)), min_size=1
)


@given(TREES)
def test_a_dumped_mapping_comes_back_unchanged(tree):
    assert parse_yaml(yaml.safe_dump(tree), environment={}).values == tree


@given(st.text(max_size=200))
def test_any_text_is_a_mapping_or_a_config_error(text):
    try:
        raw = parse_yaml(text, environment={})
    except ConfigError:
        return
    assert isinstance(raw.values, dict)


@given(TREES, SCALARS)
def test_an_override_reads_back_at_its_path(tree, value):
    text = yaml.safe_dump(value).removesuffix("...\n").strip()
    raw = parse_yaml(yaml.safe_dump(tree), overrides=[f"new.key={text}"], environment={})
    if raw.problems:
        assert "new" in tree
    else:
        assert raw.values["new"]["key"] == value


def test_references_take_the_environment_then_the_default():
    text = "a: ${A}/x\nb: ${B:-data/b}\nc: ${C:-}\nd: $${A}"
    raw = parse_yaml(text, environment={"A": "1", "C": "set"})
    assert raw.values == {"a": "1/x", "b": "data/b", "c": "set", "d": "${A}"}


def test_an_empty_variable_takes_the_default():
    assert parse_yaml("a: ${A:-d}", environment={"A": ""}).values == {"a": "d"}


def test_an_unset_reference_without_default_is_named():
    raw = parse_yaml("deep: {a: '${NOPE}/x'}", environment={})
    assert "deep.a" in raw.problems[0]
    assert "NOPE" in raw.problems[0]


def test_a_reference_never_runs_twice():
    raw = parse_yaml("a: ${A}", environment={"A": "${B}", "B": "no"})
    assert raw.values["a"] == "${B}"


def test_a_duplicate_key_is_refused_with_both_lines():
    raw = parse_yaml("a: 1\nb: 2\na: 3", environment={})
    assert raw.problems == ("a: found twice, lines 1 and 3; expected one value",)


def test_overrides_reach_list_items_and_forget_the_line():
    raw = parse_yaml("a:\n- {b: 1}\n", overrides=["a.0.b=[2, 3]"], environment={})
    assert raw.values == {"a": [{"b": [2, 3]}]}
    assert ("a", 0, "b") in raw.overridden
    assert ("a", 0, "b") not in raw.lines
    assert show_path(("a", 0, "b")) == "a.0.b"


@pytest.mark.parametrize(
    "override", ["novalue", "=3", "a..b=1", "a.b.c=1", "list.7=1", "list.x=1", "a=[1", "gone.0.b=1"]
)
def test_a_malformed_override_is_named(override):
    raw = parse_yaml("a: {b: 1}\nlist: [1, 2]", overrides=[override], environment={})
    assert len(raw.problems) == 1
    assert override in raw.problems[0]


@pytest.mark.parametrize("text", ["", "- 1\n- 2", "just text", "a: [", "a: {b: 1", "\t- x"])
def test_what_is_no_mapping_is_refused(text):
    with pytest.raises(ConfigError):
        parse_yaml(text, environment={})


def test_missing_binary_and_folder_are_refused(tmp_path):
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    for path in (tmp_path / "none.yaml", binary, tmp_path):
        with pytest.raises(ConfigError) as caught:
            read_yaml(path)
        assert str(path) in str(caught.value)
        assert caught.value.exit_code == 2
