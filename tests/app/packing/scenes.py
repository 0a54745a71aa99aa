"""Games whose builds are really stored, and a server that installs them from what its plan names."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from app.data.database import free_connection
from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.pack import BuildPack, PackUpdate
from app.storage.bucket import bucket
from app.uploads.raw.archive_receiver import receive_archive
from app.uploads.raw.incoming_body import IncomingBody
from slipway.archive.archive_limits import ArchiveLimits
from slipway.packs.applying import PatchObject, apply
from slipway.packs.format.index import Index
from slipway.packs.format.index_decoding import decode_game_index
from slipway.packs.format.index_transfer import IndexReference, decompress_index
from slipway.packs.format.patch_format import decode_patch
from slipway.packs.local_reuse import LocalBuild
from slipway.packs.range_sources import RangeReader
from tests.app.fleet.acting import STUDIO
from tests.game_archives import add_file
from tests.slipway.packs.builds import BytesReader

TOP = "PaperLanterns-1.0"
LAUNCHER = "paper-lanterns.sh"
Files = Mapping[str, bytes]
http = urllib3.PoolManager(retries=False, timeout=30)


def game_files(seed: int = 1, scripts: int = 1, media: int = 300_000) -> dict[str, bytes]:
    """A game: a script, media that do not compress, and an engine. By path below the top directory."""
    return {
        "game/script.rpy": b"label start:\n" + b'    "Hello."\n' * scripts,
        "game/images.rpa": random.Random(seed).randbytes(media),
        "lib/linux-x86_64/engine": random.Random(100 + seed).randbytes(200_000),
        "renpy/version.txt": b"8.3.0\n",
    }


def edited(content: bytes, every: int = 5000) -> bytes:
    """Scattered edits, as in a program that was compiled again: every chunk differs, most bytes do not."""
    changed = bytearray(content)
    for position in range(0, len(changed), every):
        changed[position] ^= 0xFF
    return bytes(changed)


def archive_of(files: Files) -> bytes:
    """The packaged game as tar.gz bytes."""
    unpacked = io.BytesIO()
    with tarfile.open(fileobj=unpacked, mode="w") as tar:
        for directory in ("", "/game", "/lib", "/lib/linux-x86_64", "/renpy"):
            member = tarfile.TarInfo(TOP + directory)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(member)
        add_file(tar, f"{TOP}/{LAUNCHER}", b"#!/bin/sh\nexec echo playing\n", 0o755)
        for path, content in files.items():
            add_file(tar, f"{TOP}/{path}", content)
    return gzip.compress(unpacked.getvalue(), 1, mtime=0)


class Studio:
    """A partner's script, which sends builds of one game."""

    def __init__(self, slug: str) -> None:
        self.slug = slug

    @property
    def game(self) -> Game:
        free_connection()
        return db.session.scalars(select(Game).where(Game.slug == self.slug)).one()

    def publish(self, files: Files, *, release: bool = True) -> Build:
        """Send an archive of these files. Returns the build, which stays readable whatever the session does."""
        archive = archive_of(files)
        body = IncomingBody(io.BytesIO(archive), len(archive), len(archive))
        published = receive_archive(self.game, body, STUDIO, release=release)
        assert published.released is release
        free_connection()
        build = db.session.get_one(Build, published.build.id)
        db.session.expunge(build)
        return build


def pack_of(build: Build) -> BuildPack | None:
    """The row as it is now, with its updates."""
    free_connection()
    query = select(BuildPack).where(BuildPack.build_id == build.id).options(selectinload(BuildPack.updates))
    pack = db.session.scalar(query)
    free_connection()
    return pack


def ready_pack(build: Build) -> BuildPack:
    pack = pack_of(build)
    assert pack is not None
    assert (pack.state, pack.reason) == ("ready", None)
    return pack


def update_of(old: Build, new: Build) -> PackUpdate | None:
    free_connection()
    query = select(PackUpdate).where(PackUpdate.build_id == new.id, PackUpdate.from_build_id == old.id)
    update = db.session.scalar(query.options(joinedload(PackUpdate.pack)))
    free_connection()
    return update


def pack_objects_stored() -> dict[str, int]:
    """Key → size of everything under packs/."""
    return {found.key: found.size for found in bucket().objects("packs/")}


@dataclass
class Installed:
    """A build on a server's disk."""

    root: Path
    index: Index
    encoded: bytes
    sha256: str


class PackInstaller:
    """Installs what a plan names, with the addresses in it, as an agent does. Counts the bytes that storage sends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.received = 0

    def install(self, planned: Mapping[str, Any], old: Installed | None = None) -> Installed:
        """`planned` is the build's entry in the plan; `old` the build that the first update starts from."""
        pack = planned["pack"]
        way = pack["updates"][0] if old else {"delta": None, "patch": None}
        index = pack["index"]
        frame = self.fetch(way["delta"] or index)
        reference = IndexReference(index["sha256"], index["size"])
        encoded = decompress_index(frame, reference, old.encoded if old and way["delta"] else b"")
        decoded, top, launcher = decode_game_index(encoded, ArchiveLimits(), planned["launcher"])
        assert (top, launcher) == (planned["topDirectory"], planned["launcher"])
        patch = None
        if old and way["patch"]:
            content = self.fetch(way["patch"])
            patch = PatchObject(decode_patch(content, old.index, old.sha256, decoded, reference.sha256), content)
        root = self.folder / f"build-{planned['build']}"
        root.mkdir()
        local = LocalBuild(old.root, old.index) if old else None
        apply(decoded, root, UrlSource(pack["url"], self), old=local, patch=patch)
        return Installed(root, decoded, encoded, reference.sha256)

    def fetch(self, download: Mapping[str, Any]) -> bytes:
        answer = http.request("GET", download["url"])
        assert answer.status == 200
        assert len(answer.data) == download["bytes"]
        self.received += len(answer.data)
        return answer.data


class UrlSource:
    """A pack behind a presigned address."""

    def __init__(self, url: str, counter: PackInstaller) -> None:
        self._url, self._counter = url, counter

    @contextmanager
    def open_range(self, start: int, length: int) -> Iterator[RangeReader]:
        answer = http.request("GET", self._url, headers={"Range": f"bytes={start}-{start + length - 1}"})
        assert answer.status == 206
        self._counter.received += len(answer.data)
        yield BytesReader(answer.data)


def installed_files(installed: Installed) -> dict[str, bytes]:
    """By path below the top directory, without the launcher."""
    top = installed.root / TOP
    return {
        str(path.relative_to(top)): path.read_bytes()
        for path in top.rglob("*")
        if path.is_file() and path.name != LAUNCHER
    }
