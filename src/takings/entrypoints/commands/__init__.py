"""List the commands: each is a function of the same name in a module of the same name.

A test compares each summary with the function's docstring, which its own `--help` shows.
"""

from __future__ import annotations

from typing import Final

#: name -> summary, in the order in which `--help` shows them: to begin, day by day, to look closer, to put right
COMMANDS: Final = {
    "demo": "Make a sample shop, run the pipeline on it, and show the KPIs and where everything is.",
    "generate": "Make a sample shop's files to try things out; the same seed makes the same bytes.",
    "adopt": "Look at your shop's files, propose contracts, try them out on the same files, and write them into a store.",
    "validate": "Validate files as a batch would, and write nothing: every bad line, what is wrong with it and what to do.",
    "run": "Process what is pending, show progress, and print the outcome.",
    "watch": "Process files as they arrive, until Ctrl-C or SIGTERM; several processes may watch one store.",
    "status": "Show pending files, what they wait for and until when, the batch in flight and waiting orphans.",
    "batches": "Show the store's batches, oldest first, or one batch with its files, verdicts, violations and restated days.",
    "kpis": "Print the published KPIs.",
    "explain": "Show the rows behind a day's numbers, with file and line, and their exact sum.",
    "serve": "Serve the page and the read API of a store until Ctrl-C or SIGTERM; only reads.",
    "notify": "Send what there is to tell to the addresses of the setting `notify`, or the digest of a day.",
    "verify": "Recompute every KPI from the lake and compare it with the published one; changes nothing.",
    "replay": "Take archived originals again, as a new batch with their first versions; nothing is counted twice.",
    "unblock": "Let the next run resume a blocked batch.",
    "restate": "Publish KPIs again from the lake, after a change of a definition or contract.",
    "rebuild": "Rebuild lake, KPIs and ledger from a store's archive alone (processed/, failed/, batches/), in a new one.",
    "maintain": "Compact small files, clean the tables' logs and remove what nothing needs; safe beside a running batch.",
}
