"""The demo data of `make run`: made on the first run, and kept by every later one.

Secrets that cannot be read back (only their hashes are stored) are in `<instance>/demo.json`, mode 0600.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import select

from app.accounts.actors import Actor
from app.accounts.keys import authenticate, create_key
from app.accounts.partners import create_member, create_partner, hash_for
from app.accounts.sign_ins import end_all
from app.config.private_files import write_private
from app.config.storage_settings import StorageSettings
from app.data.database import writing
from app.data.extensions import db
from app.data.models.partner import Member, Partner
from app.data.models.server import Server
from app.fleet.servers import add_server, roll_token
from app.refusals import Unauthorized

PARTNER = "Starlight Studio"
OWNER = "owner@starlight.example"
OPERATOR = "operator@slipway.example"
SERVERS = (("srv-01", "fra"), ("srv-02", "fra"), ("srv-03", "sin"))
_ACTOR = Actor("make run")


@dataclass(frozen=True)
class DemoServer:
    """A server, its agent's token and the agent's cache directory."""

    id: str
    token: str
    cache_dir: str


@dataclass(frozen=True)
class Demo:
    """The content of `demo.json`."""

    base_url: str
    email: str
    password: str
    operator_email: str
    operator_password: str
    api_key: str
    servers: list[DemoServer]
    storage: dict[str, str]


def prepare(app: Flask, *, base_url: str, storage: StorageSettings, instance: Path) -> Demo:
    """Make the missing demo data and write demo.json. Addresses and directories are written each time, so that a moved
    instance folder works."""
    path = instance / "demo.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    with app.app_context():
        demo = Demo(
            base_url=base_url,
            email=OWNER,
            password=_member(OWNER, "Mira Okafor", "owner", before.get("password")),
            operator_email=OPERATOR,
            operator_password=_member(OPERATOR, "Operator", "operator", before.get("operatorPassword")),
            api_key=_key(before.get("apiKey")),
            servers=_servers(before.get("servers", []), instance),
            storage={
                "endpoint": storage.endpoint,
                "accessKey": storage.access_key,
                "secretKey": storage.secret_key,
                "bucket": storage.bucket,
            },
        )
    _write(path, demo)
    return demo


def _partner() -> Partner:
    found = db.session.scalar(select(Partner).where(Partner.name == PARTNER))
    return found or create_partner(PARTNER, _ACTOR)


def _member(email: str, name: str, role: str, known: str | None) -> str:
    """The member's password. Makes the member, or sets a new password, if one is missing."""
    partner = None if role == "operator" else _partner()
    member = db.session.scalar(select(Member).where(Member.email == email))
    if member is not None and known:
        return known
    password = secrets.token_urlsafe(12)
    if member is None:
        create_member(partner, email, name, role, password, _ACTOR)
    else:  # demo.json was removed: the old password is lost
        password_hash = hash_for(email, password, member.id)
        with writing() as session:
            member.password_hash = password_hash
            end_all(session, member)
    return password


def _key(known: str | None) -> str:
    try:
        authenticate(known)
    except Unauthorized:
        _, known = create_key(_partner(), "CI", ["read", "write", "upload"], _ACTOR)
    return str(known)


def _servers(known: list[dict[str, Any]], instance: Path) -> list[DemoServer]:
    tokens = {server["id"]: server["token"] for server in known}
    result = []
    for server_id, region in SERVERS:
        if db.session.get(Server, server_id) is None:
            _, tokens[server_id] = add_server(server_id, region, _ACTOR)
        elif server_id not in tokens:
            tokens[server_id] = roll_token(server_id, _ACTOR)
        result.append(DemoServer(server_id, tokens[server_id], str(instance / "servers" / server_id)))
    return result


def _write(path: Path, demo: Demo) -> None:
    write_private(path, json.dumps(_camel(asdict(demo)), indent=2) + "\n")


def _camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {_camel_word(name): _camel(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_camel(item) for item in value]
    return value


def _camel_word(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)
