"""What is stored, one file an aggregate."""

from app.data.models.asset import Asset, Blob, BlobVariant, GamePicture, QuotaEntry, StagedAsset
from app.data.models.audit_record import AnsweredRequest, AuditEntry, Topic
from app.data.models.base import Base, new_id, now
from app.data.models.component import Component, ComponentFace, Revision
from app.data.models.game import Build, Game, Release
from app.data.models.partner import ApiKey, App, Invitation, Member, Partner, PasswordLink, SignIn
from app.data.models.server import PlaySession, Replica, Server, TransferMinute
from app.data.models.upload import Upload

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
