"""Whatever is wrong with a contract's file, the loader returns a contract or raises ContractError."""

from __future__ import annotations

from importlib import resources

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.contracts.refused import loads_or_is_refused
from tests.depth import examples

SHIPPED = [
    resources.files("takings.contracts").joinpath(f"{name}.odcs.yaml").read_text(encoding="utf-8")
    for name in ("products", "orders", "order_items")
]
#: Pieces with a meaning in YAML or in a contract, and characters without one.
PIECES = st.one_of(
    st.sampled_from(
        [
            "- ",
            ": ",
            "&a ",
            "*a",
            "!!",
            "? ",
            "<<: *a",
            "[",
            "]",
            "{",
            "}",
            ">",
            "%",
            "@",
            "'",
            '"',
            "\\U",
            "\t",
            "\n",
            "\x00",
            "\ufeff",
            "\u2028",
            "null",
            "true",
            "~",
            "---\n",
            "...\n",
        ]
    ),
    st.sampled_from(
        [
            "0x1F",
            ".inf",
            "1e9",
            "2025-01-01",
            "_id",
            "name",
            "id",
            "order_date",
            "string",
            "integer",
            "timestamp",
            "takings",
            "|",
            ">",
        ]
    ),
    st.text(max_size=5),
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """Return a shipped contract after deleting, replacing or inserting some characters or lines."""
    text = draw(st.sampled_from(SHIPPED))
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):
            lines = text.splitlines(keepends=True)
            first = draw(st.integers(0, len(lines)))
            last = min(len(lines), first + draw(st.integers(0, 3)))
            inserted = draw(st.sampled_from(["", *lines])) or draw(PIECES)
            text = "".join([*lines[:first], inserted, *lines[last:]])
        else:
            first = draw(st.integers(0, len(text)))
            last = min(len(text), first + draw(st.integers(0, 20)))
            text = text[:first] + draw(PIECES) + text[last:]
    return text


@settings(max_examples=examples(40, 100), deadline=None)  # deep nesting takes PyYAML a third of a second
@given(damaged())
@example("a: " * 2_000)
@example("[" * 5_000)
@example("- " * 5_000)
@example('"\\UFFFFFFFF"')
@example("%YAML " + "9" * 5_000 + ".1\n---\na")
@example("%TAG ! tag:%\n---\n!a b")
@example("a: &a {b: *a}")
@example("\ud800")
def test_damage_is_refused_and_never_crashes(text: str) -> None:
    """The error names the line of a broken contract, whatever broke it."""
    loads_or_is_refused(text)


@given(st.text())
def test_any_text_is_refused_and_never_crashes(text: str) -> None:
    """The file need not even be YAML."""
    loads_or_is_refused(text)
