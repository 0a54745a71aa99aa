"""Who may sign, read from the source."""

from __future__ import annotations

import ast

from app.images.object_keys import STAGING
from app.maintenance.object_prefixes import ARCHIVES
from app.storage.upload_identity import INCOMING_PREFIXES
from tests.conftest import ROOT


def test_nothing_outside_of_the_storage_package_signs_an_address() -> None:
    """So tests/storage/test_write_addresses.py sees every kind: for parts, staged images, downloads and agents."""
    signing = {"presign", "get_presigned_url", "presigned_get_object", "presigned_put_object", "presigned_post_policy"}
    found = set()
    for path in (ROOT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("app.storage"):
                found |= {str(path) for name in node.names if name.name in signing and "storage" not in path.parts}
            if isinstance(node, ast.Attribute) and node.attr in signing and "storage" not in path.parts:
                found.add(str(path))
    assert found == set()


def test_the_incoming_prefixes_are_those_that_clients_send_to() -> None:
    assert INCOMING_PREFIXES == (ARCHIVES, STAGING)
