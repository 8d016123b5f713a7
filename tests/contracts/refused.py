"""What holds of any text that is taken for a contract."""

from __future__ import annotations

import re

from takings.contracts import Contract, parse_contract
from takings.errors import ContractError


def loads_or_is_refused(text: str) -> None:
    """Assert that a text is a contract, or is refused with file, line and a sentence."""
    try:
        assert isinstance(parse_contract(text, "damaged.odcs.yaml"), Contract)
    except ContractError as error:
        source, line, problem = str(error).split(":", 2)
        assert source == "damaged.odcs.yaml"
        assert 1 <= int(line) <= len(re.findall("[\n\r\x85\u2028\u2029]", text)) + 1
        assert problem.rstrip().endswith((".", "?"))
