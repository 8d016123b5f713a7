"""Draw by arithmetic on (seed, question, record), exactly as `draws.sql` does."""

from __future__ import annotations

from hashlib import sha256

#: streams, one for each question asked of a record, are numbered 1 to here
STREAMS = 128
_WORD = 0xFFFFFFFF


def seed_word_of(seed: int) -> int:
    """Turn any seed into 32 bits."""
    return int.from_bytes(sha256(str(seed).encode()).digest()[:4], "big")


def pick(seed_word: int, stream: int, record: int, among: int) -> int:
    """Return one of 0 … among - 1."""
    return draw(seed_word, stream, record) * among >> 32


def draw(seed_word: int, stream: int, record: int) -> int:
    """Return 32 bits that depend on nothing but the arguments."""
    return _mixed((record & _WORD) ^ stream_word_of(seed_word, stream))


def stream_word_of(seed_word: int, stream: int) -> int:
    """Return the word in which the streams of a seed differ."""
    return _mixed(seed_word + stream * 2654435769 & _WORD)


def _mixed(word: int) -> int:
    word = word * 2146121005 & _WORD
    return (word ^ word >> 15) * 2221713035 & _WORD
