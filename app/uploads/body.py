"""A request body read in pieces, with every way it can end early told apart."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from gunicorn.http.errors import ParseException

from app import shutdown
from app.config import MIB, settings
from app.refusals import PayloadTooLarge, UploadInterrupted

PIECE = MIB


class IncomingBody:
    """The body of one request. `length` is the Content-Length, or None for a chunked body; `client` is the connection's
    socket where the server gives it away, which lets a stalled client be noticed and a draining process cut it."""

    def __init__(
        self, stream: BinaryIO, length: int | None, most: int, client: socket.socket | None = None, patience: float = 60
    ) -> None:
        self.stream = stream
        self.length = length
        self.most = most
        self.client = client
        self.patience = patience
        self.received = 0
        self.was_cut = False

    def pieces(self) -> Iterator[bytes]:
        """The body in pieces of up to 1 MiB. Raises UploadInterrupted when it ends early or stalls, PayloadTooLarge
        when more comes than `most`."""
        unregister = shutdown.when_cut(self.cut)
        try:
            if self.client is not None:
                self.client.settimeout(self.patience)
            while piece := self._read():
                self.received += len(piece)
                if self.received > self.most:
                    raise too_large(self.most)
                yield piece
            # A client that hangs up looks like the end of the body: only the count tells.
            if self.length is not None and self.received != self.length:
                raise self._interrupted("the connection closed")
        finally:
            unregister()

    def _read(self) -> bytes:
        # Not every server ends the stream where the body ends: a read beyond it would wait for the next request.
        most = PIECE if self.length is None else min(PIECE, self.length - self.received)
        if most <= 0:
            return b""
        try:
            return self.stream.read(most)
        except TimeoutError:
            raise self._interrupted(f"nothing came for {self.patience:g} seconds") from None
        except OSError:
            raise self._interrupted("the connection broke") from None
        except ParseException:  # what gunicorn makes of a chunked body that breaks the rules of HTTP
            raise self._interrupted("its chunks are not what HTTP says they must be") from None

    def _interrupted(self, why: str) -> UploadInterrupted:
        if self.was_cut:
            why = "the app is being stopped"
        of = f" of {self.length:,}" if self.length is not None else ""
        return UploadInterrupted(
            f"The upload ended after {self.received:,}{of} bytes: {why}. Nothing was kept; send the archive again."
        )

    def cut(self) -> None:
        """End the body now, from another thread: the reader sees the end of the stream."""
        self.was_cut = True
        if self.client is not None:
            try:
                self.client.shutdown(socket.SHUT_RD)
            except OSError:
                return  # the client was faster


def incoming_body(environ: Mapping[str, Any], length: int | None) -> IncomingBody:
    """The body of a WSGI request, refused before a byte of it is read when its Content-Length is over the ceiling.
    `length` is None for a chunked one."""
    most = settings().max_archive_bytes
    if length is not None and length > most:
        raise too_large(most)
    client = environ.get("gunicorn.socket")
    return IncomingBody(environ["wsgi.input"], length, most, client=client, patience=settings().body_timeout)


def too_large(most: int) -> PayloadTooLarge:
    """The refusal for an archive over the ceiling, in the words every door uses."""
    return PayloadTooLarge(
        f"The archive is larger than {most:,} bytes ({most / 1024**3:.4g} GiB), the most this platform takes "
        "(MAX_ARCHIVE_BYTES). Make it smaller, or ask the operator to raise the limit."
    )
