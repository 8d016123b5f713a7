"""Read a byte stream in pieces large enough to examine, and fingerprint it on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Final

#: hashing a smaller piece takes less time than starting a thread
_WORTH_A_THREAD: Final = 1 << 16


class Intake:
    """Gather blocks of any size into pieces of about `piece_bytes`.

    A piece is handed over with its bytes translated, if that is asked for; the fingerprint is of the bytes before.

    Large pieces are hashed during the scan, in a separate thread: hashlib releases the interpreter while it works.
    """

    def __init__(
        self,
        blocks: Iterable[bytes],
        *,
        piece_bytes: int,
        is_fingerprinted: bool = True,
        translation: bytes | None = None,
    ) -> None:
        self.size = 0
        #: the stream has been read to its end
        self.is_done = False
        self._parts = _cut(blocks, piece_bytes)
        self._piece_bytes = piece_bytes
        self._is_fingerprinted = is_fingerprinted
        self._translation = translation
        self._hash = hashlib.sha256()
        self._hasher: ThreadPoolExecutor | None = None
        self._hashing: Future[None] | None = None

    def __enter__(self) -> Intake:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._hasher is not None:
            self._hasher.shutdown()

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of everything read, in hexadecimal; empty if it was not requested."""
        if not self._is_fingerprinted:
            return ""
        self._wait_for_hash()
        return self._hash.hexdigest()

    def more(self, kept: bytes) -> bytes:
        """Return `kept` followed by the next piece; only `kept` at the end of the stream.

        The piece is at least as long as `kept`, so that examining the kept part again costs no more than the new part.
        """
        wanted = max(self._piece_bytes, len(kept))
        parts: list[bytes | memoryview] = []
        while wanted > 0 and not self.is_done:
            part = next(self._parts, None)
            if part is None:
                self.is_done = True
            else:
                parts.append(part)
                wanted -= len(part)
        piece = b"".join(parts)
        self.size += len(piece)
        if self._is_fingerprinted:
            self._fingerprint(piece)
        if self._translation is not None:
            piece = piece.translate(self._translation)
        return kept + piece if kept else piece

    def drain(self) -> None:
        """Read the rest, for the size and the fingerprint alone."""
        while not self.is_done:
            self.more(b"")

    def _fingerprint(self, piece: bytes) -> None:
        self._wait_for_hash()
        if len(piece) < _WORTH_A_THREAD:
            self._hash.update(piece)
        else:
            self._hasher = self._hasher or ThreadPoolExecutor(max_workers=1)
            self._hashing = self._hasher.submit(self._hash.update, piece)

    def _wait_for_hash(self) -> None:
        if self._hashing is not None:
            self._hashing.result()
            self._hashing = None


def _cut(blocks: Iterable[bytes], most: int) -> Iterator[bytes | memoryview]:
    """Yield the blocks; large ones in slices of at most this many bytes."""
    for block in blocks:
        if len(block) <= most:
            yield block
        else:
            view = memoryview(block)
            for start in range(0, len(block), most):
                yield view[start : start + most]
