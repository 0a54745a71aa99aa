"""Whatever an archive may hold comes back from a pack as it was, also by way of other builds."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.packs.format.index_decoding import decode_index
from slipway.packs.format.index_encoding import encode_index
from slipway.packs.format.index_transfer import decompress_index
from slipway.packs.local_reuse import Reuse
from slipway.packs.transfer_plan import plan_transfer
from tests.slipway.packs.builds import Build, BytesSource, install, make_build, patch_between
from tests.slipway.packs.trees import Tree, installed_mode, noise, standing, trees

pytestmark = pytest.mark.slow


@settings(max_examples=60, deadline=None)
@given(tree=trees())
def test_any_tree_comes_back_as_it_was(tree: Tree) -> None:
    with tempfile.TemporaryDirectory(prefix="packs-") as name:
        folder = Path(name)
        build = make_build(folder, tree)
        install(build, folder / "installed")

        assert standing(folder / "installed") == standing(build.root)


@settings(max_examples=60, deadline=None)
@given(tree=trees())
def test_any_index_comes_back_as_it_was(tree: Tree) -> None:
    with tempfile.TemporaryDirectory(prefix="packs-") as name:
        written = make_build(Path(name), tree).written
        encoded = decompress_index(written.index_object, written.reference)
        index = decode_index(encoded)

        assert encode_index(index) == encoded == written.encoded
        assert (index.entries, index.chunks, index.generations) == (
            written.index.entries,
            written.index.chunks,
            written.index.generations,
        )


@settings(max_examples=40, deadline=None)
@given(
    versions=st.lists(trees(), min_size=2, max_size=4),
    jump=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    reuse=st.sampled_from(Reuse),
)
def test_any_jump_between_versions_ends_in_the_right_one(
    versions: list[Tree], jump: tuple[int, int], reuse: Reuse
) -> None:
    """Forwards and back, over one version or several, with the patch where it fits."""
    with tempfile.TemporaryDirectory(prefix="packs-") as name:
        folder = Path(name)
        builds: list[Build] = []
        for number, tree in enumerate(versions, 1):
            builds.append(make_build(folder, tree, number, builds[-1] if builds else None))
        old, new = (builds[step % len(builds)] for step in jump)
        before = standing(old.root)
        source = BytesSource(new.pack)
        install(new, folder / "installed", source, old=old, reuse=reuse)

        assert standing_files(folder / "installed") == standing_files(new.root)
        assert standing(old.root).keys() == before.keys()
        patch = patch_between(old, new)
        plan = plan_transfer(new.written.index, old.written.index, patch.table if patch else None)
        assert source.sent == plan.fetched_bytes


def standing_files(root: Path) -> dict[str, tuple[int, bytes]]:
    """Content and modes by path. Files that are linked with another build's look like hard links otherwise."""
    return {
        str(path.relative_to(root)): (installed_mode(path), path.read_bytes())
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def test_a_chain_of_deltas_brings_every_index() -> None:
    with tempfile.TemporaryDirectory(prefix="packs-") as name:
        folder = Path(name)
        first = make_build(folder, Tree({"a": (noise(400_000), False), "b": (b"one", True)}), 1)
        second = make_build(folder, Tree({"a": (noise(400_000), False), "b": (b"two", True)}), 2, first)
        assert second.written.delta
        encoded = decompress_index(second.written.delta, second.written.reference, first.written.encoded)

        assert encoded == second.written.encoded
        assert len(second.written.delta) < len(second.written.index_object)
