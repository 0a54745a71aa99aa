"""What is stored, one file an aggregate."""

from app.models.base import Base, new_id, now
from app.models.game import Build, Game, GamesOf, Release
from app.models.partner import ApiKey, App, Invitation, Member, Partner
from app.models.record import AnsweredRequest, AuditEntry, Topic
from app.models.server import PlaySession, Replica, Server, TransferMinute
from app.models.upload import Upload

__all__ = [
    "AnsweredRequest",
    "ApiKey",
    "App",
    "AuditEntry",
    "Base",
    "Build",
    "Game",
    "GamesOf",
    "Invitation",
    "Member",
    "Partner",
    "PlaySession",
    "Release",
    "Replica",
    "Server",
    "Topic",
    "TransferMinute",
    "Upload",
    "new_id",
    "now",
]
