"""Retry the files of the dead-letter queue: `takings aws redrive`."""

from __future__ import annotations

from takings.composition.aws_setup import redriven_on_aws
from takings.entrypoints.commands.aws.options import say
from takings.entrypoints.options import Store


def redrive(store: Store) -> None:
    """Put the files of the dead-letter queue back under raw-data/, as new arrivals, once the cause is fixed."""
    count = 0
    with redriven_on_aws(store) as letters:
        for letter, done in letters:
            count += 1
            say(f"{letter.key or 'an event'}: {done.value}")
    if not count:
        say(f"{store}: the dead-letter queue is empty")
