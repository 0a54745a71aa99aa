"""An answer on its way to a client. It can stop between two pieces and continue in another thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from gunicorn.http.wsgi import FileWrapper

from app.runtime.web_server.client_socket import ClientSocket
from app.runtime.web_server.held_streams import StreamHold

_FILE_BLOCK = 64 * 1024


class ClientAnswer:
    """The app's answer to `request`, piece by piece. Send it to its end, or close it.

    `response` is gunicorn's, which frames the pieces; `pieces` is the WSGI app's return value. `hold` is the app's
    request to go on writing without a thread.
    """

    def __init__(
        self,
        request: Any,
        response: Any,
        environ: dict[str, Any],
        pieces: Iterable[bytes],
        began: datetime,
        hold: StreamHold,
    ) -> None:
        self.request = request
        self.response = response
        self.environ = environ
        self.began = began
        self.hold = hold
        self._made = pieces
        if isinstance(pieces, FileWrapper):
            pieces.blksize = _FILE_BLOCK
        self._pieces = iter(pieces)

    def send(self, client: ClientSocket) -> bool:
        """Send pieces while the client accepts them. False if it stopped before the last, or the answer is to be
        held."""
        for piece in self._pieces:
            self._together(client, self.response.write, piece)
            if client.unsent or self.hold.is_requested:
                return False
        self._together(client, self.response.close)
        return True

    def close(self) -> None:
        """Tell the app that the answer is over, whether the client got it or not."""
        close = getattr(self._made, "close", None)
        if close is not None:
            close()

    @staticmethod
    def _together(client: ClientSocket, write: Callable[..., None], *piece: bytes) -> None:
        client.holds_back = True
        try:
            write(*piece)
        finally:
            client.holds_back = False
        client.push()
