"""Try a seed and return the result in a form that can be sent between processes."""

from __future__ import annotations

from tests.simulation.world import simulate


def live(seed: int) -> tuple[int, str, str]:
    """Return the seed, what went wrong (empty if nothing did), and the story."""
    try:
        world = simulate(seed)
    except AssertionError as violation:
        return seed, f"{type(violation).__name__}: {violation}", "\n".join(violation.__notes__)
    return seed, "", "\n".join(world.story)
