"""A directory as an update file: only what the platform's build lacks is sent (docs/pack-format.md)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from slipway.archive.archive_member import Kind as MemberKind
from slipway.archive.archive_member import Member
from slipway.archive.archive_rejected import ArchiveRejected
from slipway.archive.archive_writing import tar_member
from slipway.archive.member_rules import MemberRules
from slipway.archive.start_checks import StartChecks
from slipway.archive.tar.tar_header import Header
from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.push.archive_file import Archive, UpdateFacts
from slipway.cli.push.archive_sources import OnProgress, SourceOptions
from slipway.cli.push.checking.archive_check import refused_folder
from slipway.cli.push.directory_tree import DirectoryTree
from slipway.cli.push.packing import member_of
from slipway.cli.push.temporary_file import no_space, temporary_file
from slipway.cli.push.updates.base_build import BaseBuild, NoUpdate
from slipway.client.file_flags import O_NOFOLLOW
from slipway.packs.comparing import has_same_files
from slipway.packs.format.index import Index, Kind
from slipway.packs.format.refusals import TreeUnsuitable

_READ_BYTES = 1 << 20
_KINDS = {
    MemberKind.DIRECTORY: Kind.DIRECTORY,
    MemberKind.FILE: Kind.FILE,
    MemberKind.PROGRAM: Kind.PROGRAM,
    MemberKind.SYMLINK: Kind.SYMLINK,
}


def require_cutting(path: Path) -> None:
    """Raises NoUpdate if this machine cannot cut the directory into chunks."""
    if not hasattr(os, "O_DIRECTORY"):  # files are opened below it, so that no link is followed
        raise NoUpdate("updates are made on Linux and macOS only")
    if not os.access(Path(os.path.realpath(path)).parent, os.R_OK):
        raise NoUpdate(f"the folder above {path} cannot be read")
    try:
        from slipway.packs.making import cutting  # noqa: F401 - whether it can be imported
    except ImportError:
        raise NoUpdate("pyfastcdc is not installed; install slipway with its extra `cli`") from None


def write_update_file(
    path: Path, tree: DirectoryTree, base: BaseBuild, options: SourceOptions, on_progress: OnProgress
) -> Archive:
    """The update file of a directory, in a temporary file, after a check of its names, its layout and its launcher.
    `on_progress` gets the bytes read, up to the size of the tree. Raises NoUpdate and CommandError."""
    members = [member_of(entry) for entry in tree.entries]
    warnings = _check_members(path, members, options)
    file = cast(BinaryIO, temporary_file())
    try:
        cut = _cut(path, members, on_progress)
        size = _write(path, cut, base, file)
        sha256 = _digest(file)
    except BaseException:
        file.close()
        raise
    facts = UpdateFacts(base.number, base.size, base.is_newest and has_same_files(cut, base.table.index))
    archive = Archive(str(path), f"{tree.top}.tar.gz", file, size, sha256, warnings=warnings, update=facts)
    archive.upload_fields["base"] = base.number
    return archive


def _check_members(path: Path, members: list[Member], options: SourceOptions) -> tuple[str, ...]:
    """The rules of the platform, with the beginnings of scripts and programs as the only content. Returns warnings."""
    rules = MemberRules(options.limits, options.rules.launcher)
    checks = StartChecks(options.rules.launcher, rules.tools)
    try:
        for member in members:
            info = tar_member(member)
            name, target = info.name.encode(), info.linkname.encode()
            admitted = rules.admit(Header(name, target, info.type, info.size, info.mode, int(info.mtime)))
            if admitted:
                checks.begin(admitted, info.mode)
                if checks.bytes_wanted:
                    checks.content(_beginning(path, member, checks.bytes_wanted))
        top, launcher = rules.finish()
        start_warnings = checks.finish(f"{top}/{launcher}")
    except ArchiveRejected as rejected:
        raise refused_folder(rejected) from rejected
    return start_warnings + rules.warnings()


def _beginning(path: Path, member: Member, length: int) -> memoryview:
    file = _parent(path) / member.path
    try:
        with os.fdopen(os.open(file, os.O_RDONLY | O_NOFOLLOW), "rb") as stream:
            return memoryview(stream.read(length))
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> CommandError:
    return CommandError(
        f"{error.filename or path} cannot be read: {error.strerror or error}. Make it readable, then push again.",
        ExitCode.REFUSED_ARCHIVE,
    )


def _cut(path: Path, members: list[Member], on_progress: OnProgress) -> Index:
    # Imported here, because only updates need pyfastcdc.
    from slipway.packs.making.tree_cutting import cut_entries
    from slipway.packs.making.tree_listing import Found

    def entries() -> Iterator[Found]:
        for member in members:
            yield Found(member.path.encode(), _KINDS[member.kind], member.size, (member.target or "").encode())

    try:
        return cut_entries(_parent(path), entries(), progress=on_progress)
    except TreeUnsuitable as error:
        raise NoUpdate(str(error)) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _write(path: Path, cut: Index, base: BaseBuild, file: BinaryIO) -> int:
    from slipway.packs.making.update_writing import write_update

    try:
        return write_update(cut, _parent(path), base.table, file)
    except TreeUnsuitable as error:
        raise CommandError(
            f"{error}. Nothing was sent. Push again when no program writes there.",
            ExitCode.REFUSED_ARCHIVE,
            "file_changed",
        ) from error
    except OSError as error:
        raise no_space(error) from error


def _parent(path: Path) -> Path:
    return Path(os.path.realpath(path)).parent


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.read(_READ_BYTES):
        digest.update(piece)
    return digest.hexdigest()
