"""What is stored, one file an aggregate."""

from app.models.asset import Asset, Blob, BlobVariant, GamePicture, QuotaEntry, StagedAsset
from app.models.base import Base, new_id, now
from app.models.component import Component, ComponentFace, Revision
from app.models.game import Build, Game, GamesOf, Release
from app.models.partner import ApiKey, App, Invitation, Member, Partner, PasswordLink, SignIn
from app.models.record import AnsweredRequest, AuditEntry, Topic
from app.models.server import PlaySession, Replica, Server, TransferMinute
from app.models.upload import Upload

__all__ = [
    "AnsweredRequest",
    "ApiKey",
    "App",
    "Asset",
    "AuditEntry",
    "Base",
    "Blob",
    "BlobVariant",
    "Build",
    "Component",
    "ComponentFace",
    "Game",
    "GamePicture",
    "GamesOf",
    "Invitation",
    "Member",
    "Partner",
    "PasswordLink",
    "PlaySession",
    "QuotaEntry",
    "Release",
    "Replica",
    "Revision",
    "Server",
    "SignIn",
    "StagedAsset",
    "Topic",
    "TransferMinute",
    "Upload",
    "new_id",
    "now",
]
