"""Uploads under way as lines of a page: on their game's page, and in the list of games."""

from __future__ import annotations

from dataclasses import dataclass

from app.config.settings import settings
from app.data.models.upload import Upload
from app.web.frame.formats import Moment, format_size
from slipway.client.upload_phases import PHASE_WORDS

WITHOUT_GAME_TITLE = "Uploads without a game yet"


@dataclass(frozen=True)
class UploadLine:
    """An upload under way. `size` in bytes, `lifetime` in seconds after its last part. `url`: where it is read."""

    id: str
    url: str
    name: str
    state: str
    size: int
    size_words: str
    sent_by: str
    started: Moment
    lifetime: int


def upload_line(upload: Upload) -> UploadLine:
    return UploadLine(
        id=upload.id,
        url=f"/uploads/{upload.id}",
        name=upload.shown_name if upload.file_name else "An archive",
        state=PHASE_WORDS[upload.state],
        size=upload.size,
        size_words=format_size(upload.size),
        sent_by=upload.sent_by,
        started=Moment(upload.created_at),
        lifetime=int(settings().upload_lifetime.total_seconds()),
    )
