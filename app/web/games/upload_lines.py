"""Uploads under way as lines of a page: on their game's page, and in the list of games."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from app.config.settings import settings
from app.data.models.upload import Upload
from app.uploads.resumable.stopped_uploads import STOPPED_AFTER, silent_since, stops_at
from app.web.frame.formats import Moment, Phrase, format_size
from slipway.client.upload_phases import PHASE_WORDS, STOPPED

WITHOUT_GAME_TITLE = "Uploads without a game yet"


@dataclass(frozen=True)
class UploadLine:
    """An upload under way. `size` in bytes, `lifetime` in seconds after its last part, `stopped_after` in seconds
    without a part. `url`: where it is read. `stops_at`: when it counts as stopped; None if it does, or is checked."""

    id: str
    url: str
    name: str
    state: Phrase
    stopped: bool
    size: int
    size_words: str
    sent_by: str
    started: Moment
    lifetime: int
    stopped_after: int
    stops_at: datetime | None


def upload_line(upload: Upload) -> UploadLine:
    silent = silent_since(upload)
    return UploadLine(
        id=upload.id,
        url=f"/uploads/{upload.id}",
        name=upload.shown_name if upload.file_name else "An archive",
        state=_silent_words(upload, silent) if silent else (PHASE_WORDS[upload.state],),
        stopped=silent is not None and upload.game_id is not None,
        size=upload.size,
        size_words=format_size(upload.size),
        sent_by=upload.sent_by,
        started=Moment(upload.created_at),
        lifetime=int(settings().upload_lifetime.total_seconds()),
        stopped_after=int(STOPPED_AFTER.total_seconds()),
        stops_at=stops_at(upload) if upload.state == "uploading" and silent is None else None,
    )


def _silent_words(upload: Upload, silent_since: datetime) -> Phrase:
    """Without a game, all of it may have arrived."""
    since = Moment(silent_since, "since")
    if upload.game_id is None:
        return ("Nothing received since ", since)
    return (f"{STOPPED}, nothing received since ", since)


def next_stop(lines: Iterable[UploadLine], *others: datetime | None) -> datetime | None:
    """When the first of these uploads counts as stopped, or one of the other times if it comes before."""
    times = (*(line.stops_at for line in lines), *others)
    return min((at for at in times if at is not None), default=None)
