"""Which tests run in `make test`, in the inner loop and in long runs, and which run first."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).parent.parent

# `app/api` and `app/web` contain no rules and no SQL. The domain packages they call run on both databases in every run;
# their own tests run on Postgres in long runs only.
FACES = tuple(str(ROOT / "tests" / "app" / face) for face in ("api", "web"))
# The same holds for the tests between the body of a raw upload and storage: tests/app/uploads/resumable covers the
# database, and tests/faults kills these uploads on Postgres too.
BODIES = tuple(
    str(ROOT / "tests" / "app" / "uploads" / "raw" / f"{name}.py") for name in ("test_torn", "test_storage_fails")
)

# The inner loop (make test-fast) skips tests with these markers.
NOT_FAST = ("postgres", "slow", "soak", "browser")


# Files of half a minute and more. They are handed out first: started last, one of them would decide when the run ends.
LONG = {
    str(ROOT / "tests" / f"{name}.py"): place
    for place, name in enumerate(
        (
            "browser/test_journey",
            "app/runtime/test_supervisor",
            "app/runtime/test_serving",
            "test_hostile_values",
            "app/api/clients/test_schemathesis",
            "app/packing/test_memory",
            "deploy/test_self_hosting",
            "deploy/test_compose",
            "faults/test_resumable_kills",
            "faults/test_app_killed",
            "faults/test_update_kills",
            "faults/test_pack_kills",
            "manyhosts/test_outages",
            "manyhosts/test_journeys",
            "slipway/agent/test_process",
            "slipway/agent/test_threads",
            "slipway/agent/test_pack_memory",
            "slipway/agent/test_hostile_answers",
            "slipway/packs/test_resuming",
            "slipway/packs/test_memory",
            "test_wheel",
        )
    )
}


# Tests that took about a second or more of processor time, alone or with the processes that they start. Those with a
# database are in the inner loop once per file, whatever they take.
SLOW = {
    f"{path}::{name}"
    for path, names in {
        "tests/app/data/test_text_search.py": ("test_no_accent_and_no_character_that_shows_nothing_stays",),
        "tests/slipway/agent/test_hostile_answers.py": ("test_no_retry_after_is_without_bounds",),
        "tests/slipway/archive/test_chunking.py": ("test_cut_anywhere_the_answer_is_the_same",),
        "tests/slipway/archive/test_sparse.py": ("test_a_map_of_countless_parts_is_refused",),
        "tests/slipway/packs/assembling/test_round_trips.py": ("test_any_tree_comes_back_from_its_update_file",),
        "tests/slipway/packs/test_hash_file.py": ("test_an_index_reads_its_hashes_from_the_file_as_from_memory",),
        "tests/storage/test_write_address_probe.py": ("test_an_identity_that_may_read_is_found_wherever_it_may",),
        "tests/test_private_files.py": ("test_files_of_a_new_instance_are_private_from_their_first_byte",),
        "tests/test_run_folder.py": ("test_a_run_without_room_ends_before_its_first_test",),
    }.items()
    for name in names
}


# `make test` uses the same examples every time; `make soak` searches with random ones.
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.register_profile("searching", derandomize=False)
hypothesis.settings.load_profile("same")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Choose what runs on Postgres and in the inner loop, and hand out the longest files first."""
    with_database: set[Path] = set()
    on_postgres: set[object] = set()
    for item in items:
        rule = (item.path, getattr(item, "originalname", ""))
        if item.nodeid.partition("[")[0] in SLOW:
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("postgres"):
            # Of a parametrized test only the first case runs on Postgres; the others are for long runs.
            on_both = item.get_closest_marker("both_databases")
            if (str(item.path).startswith((*FACES, *BODIES)) and not on_both) or rule in on_postgres:
                item.add_marker(pytest.mark.soak)
            on_postgres.add(rule)
        elif "database_url" in getattr(item, "fixturenames", ()) and not any(map(item.get_closest_marker, NOT_FAST)):
            # A database and a bucket of its own take a test a tenth of a second. The inner loop runs one per file.
            if item.path in with_database:
                item.add_marker(pytest.mark.slow)
            with_database.add(item.path)
    items.sort(key=lambda item: LONG.get(str(item.path), len(LONG)))
