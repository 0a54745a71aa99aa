"""Reading a request body in pieces, with a separate error for each way it can end early."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from app.config.settings import MIB, settings
from app.process import shutdown
from app.refusals import IncompleteBody, PayloadTooLarge, UploadInterrupted
from slipway.client.sizes import format_limit

PIECE = MIB


class IncomingBody:
    """The body of one upload. `length` is the Content-Length, or None for a chunked body. `client` is the connection's
    socket if the server exposes it; through it, a draining process can cut the upload."""

    def __init__(
        self, stream: BinaryIO, length: int | None, max_bytes: int, client: socket.socket | None = None
    ) -> None:
        self.stream = stream
        self.length = length
        self.max_bytes = max_bytes
        self.client = client
        self.received = 0
        self.was_cut = False

    def pieces(self) -> Iterator[bytes]:
        """The body in pieces of up to 1 MiB. Raises UploadInterrupted when it ends early or comes too slowly,
        PayloadTooLarge when it exceeds `max_bytes`."""
        unregister = shutdown.when_cut(self.cut)
        try:
            while piece := self.stream.read(PIECE):
                self.received += len(piece)
                if self.received > self.max_bytes:
                    raise too_large(self.max_bytes)
                yield piece
        except IncompleteBody as error:
            raise self._interrupted(error.reason) from None
        finally:
            unregister()

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
                return  # the client closed first


def incoming_body(environ: Mapping[str, Any], length: int | None) -> IncomingBody:
    """The body of a WSGI request. Raises PayloadTooLarge before reading when the Content-Length exceeds the limit.
    `length` is None for a chunked body."""
    max_bytes = settings().max_archive_bytes
    if length is not None and length > max_bytes:
        raise too_large(max_bytes)
    client = environ.get("gunicorn.socket")
    return IncomingBody(environ["wsgi.input"], length, max_bytes, client)


def too_large(max_bytes: int) -> PayloadTooLarge:
    """The refusal for an archive over the limit, for every kind of upload."""
    return PayloadTooLarge(
        f"The archive is larger than {format_limit(max_bytes)}, the maximum on this platform (MAX_ARCHIVE_BYTES). Make "
        "it smaller, or ask the operator to raise the limit."
    )
