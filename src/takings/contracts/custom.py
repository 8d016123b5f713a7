"""Read `customProperties`: Takings' own begin with `takings` and must be right; all others are ignored."""

from __future__ import annotations

import difflib

from takings.contracts.yaml_nodes import Entry, suggestion

COLUMN_PROPERTIES = (
    *("takingsIdentifier", "takingsMandatory", "takingsWarnings"),
    *("takingsAliases", "takingsFrom", "takingsDefault", "takingsCurrency", "takingsRole"),
)
ENUM_PROPERTIES = ("takingsStoredAs",)
QUALITY_PROPERTIES = ("takingsRule",)
TABLE_PROPERTIES = ("takingsFile", "takingsVersion", "takingsReplaces")

_PLACES = {
    **dict.fromkeys(COLUMN_PROPERTIES, "a column"),
    **dict.fromkeys(ENUM_PROPERTIES, "an enum value"),
    **dict.fromkeys(QUALITY_PROPERTIES, "a column's quality entry"),
    **dict.fromkeys(TABLE_PROPERTIES, "a table"),
}


def read_custom(entry: Entry | None, holder: str) -> dict[str, Entry]:
    """Return the values of Takings' properties at `holder`, for example "a column"."""
    ours: dict[str, Entry] = {}
    for item in entry.entries("custom property") if entry else []:
        fields = item.fields(("property", "value"), ("id", "description", "vendor"))
        if "property" not in fields or "value" not in fields:
            raise item.error("a custom property needs 'property' and 'value'. Add what is missing.")
        name = fields["property"].text()
        if not _is_ours(fields["property"], name):
            continue
        if _PLACES[name] != holder:
            raise fields["property"].error(f"'{name}' belongs to {_PLACES[name]}, not to {holder}. Move it there.")
        if name in ours:
            raise fields["property"].error(f"'{name}' is already on line {ours[name].line}. Keep one of them.")
        ours[name] = Entry(source=item.source, name=name, line=fields["value"].line, node=fields["value"].node)
    return ours


def _is_ours(place: Entry, name: str) -> bool:
    """Return whether the property is Takings' own; refuse one that only looks like it."""
    if name in _PLACES:
        return True
    lowered = {known.lower() for known in _PLACES}
    if name.lower().startswith("takings") or difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.8):
        raise place.error(f"unknown custom property '{name}'.{suggestion(name, _PLACES)}")
    return False
