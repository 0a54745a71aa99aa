"""Assembling the tar.gz of a build from its chunks, reproducibly: the same files always give the same tar."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from slipway.archive.archive_member import Kind as MemberKind
from slipway.archive.archive_member import Member
from slipway.archive.archive_writing import ArchiveWriter, Sink
from slipway.packs.assembling.ordered_content import OrderedContent
from slipway.packs.assembling.update_reading import Update
from slipway.packs.format.index import Index, Kind

_KINDS = {
    Kind.DIRECTORY: MemberKind.DIRECTORY,
    Kind.FILE: MemberKind.FILE,
    Kind.PROGRAM: MemberKind.PROGRAM,
    Kind.SYMLINK: MemberKind.SYMLINK,
}


def assemble_archive(update: Update, sink: Sink, progress: Callable[[int], None]) -> None:
    """Write the archive of `update` to `sink`. `progress` gets the bytes of file content written so far, of
    `update.table.content_bytes`, and may raise.

    Raises ChunksDamaged, and what the sources and the sink raise.
    """
    table = update.table
    writer = ArchiveWriter(sink)
    programs = _linked_programs(table)
    done = 0
    with closing(OrderedContent(table, update.parts).read()) as content:
        for entry in range(table.entry_count):
            writer.begin(_member(table, entry, programs))
            for _ in table.chunks_of(entry):
                chunk = next(content)
                writer.content(chunk)
                done += len(chunk)
                progress(done)
    writer.finish()


def _linked_programs(table: Index) -> set[bytes]:
    """The programs that have further names. Some programs that unpack archives give a file the mode of its last
    name."""
    linked = {target for entry, target in table.entries.targets.items() if table.entries.kinds[entry] == Kind.HARD_LINK}
    if not linked:
        return linked
    return {table.entries.paths[entry] for entry in table.files() if table.kind(entry) is Kind.PROGRAM} & linked


def _member(table: Index, entry: int, programs: set[bytes]) -> Member:
    kind, path = table.kind(entry), table.path(entry)
    if not kind.is_link:
        return Member(path, _KINDS[kind], table.size(entry), None)
    target = table.target(entry)
    if kind is Kind.SYMLINK:
        return Member(path, MemberKind.SYMLINK, 0, None, target)
    linked = MemberKind.PROGRAM if table.entries.targets[entry] in programs else MemberKind.FILE
    return Member(path, linked, 0, None, target, hard_link=True)
