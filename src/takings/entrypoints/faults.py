"""Explain errors of the operating system, and what to do about them."""

from __future__ import annotations

from takings.refusals import out_of_memory, remedy_of


def explain_os_error(error: OSError) -> str:
    """Return a sentence that names the file, what the system said and the next step."""
    place = f"{error.filename}: " if error.filename else ""
    said = error.strerror or str(error)
    remedy = remedy_of(error.errno) or "It is safe to run again; `takings --verbose …` shows where it happened."
    return f"{place}{said}. {remedy}"


def explain_memory_error() -> str:
    """Return a sentence that says what to do when Python itself runs out of memory."""
    return out_of_memory()
