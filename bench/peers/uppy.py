"""Uppy, the uploader that `page` is measured beside. Pinned in bench/peers/uppy/, installed for the bench only."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from playwright.sync_api import Page

from app.config.storage_settings import StorageSettings
from app.storage.part_writer import PART
from bench.peers.peer_missing import PeerMissing

PEER = Path(__file__).parent / "uppy"
_BUNDLE = PEER / "node_modules" / ".sender.js"
_SEND = """([storage]) => sendWithUppy(document.getElementById("bench-file").files[0], storage)"""


def install() -> None:
    """`npm ci` and a bundle for the page, once. Raises PeerMissing."""
    sender = PEER / "sender.js"
    if _BUNDLE.exists() and _BUNDLE.stat().st_mtime > max(
        file.stat().st_mtime for file in (sender, PEER / "package-lock.json")
    ):
        return
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise PeerMissing("it needs npm and node")
    print("  installing Uppy …", flush=True)
    _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    esbuild = str(PEER / "node_modules" / "esbuild" / "bin" / "esbuild")
    _run("node", esbuild, str(sender), "--bundle", "--minify", "--format=iife", f"--outfile={_BUNDLE}")


def send_with_uppy(page: Page, where: StorageSettings, key: str) -> float:
    """Seconds in which Uppy sends the file chosen in #bench-file to `key`, in parts as large as the app's.

    Uppy signs in the page with the storage's own keys, the way that costs it least. Nothing else of a browser is given
    such keys; the storage of a bench ends with it.
    """
    page.add_script_tag(path=_BUNDLE)
    storage = {
        "s3Endpoint": f"{where.public_endpoint}/{where.bucket}",
        "region": where.region,
        "credentials": {"accessKeyId": where.access_key, "secretAccessKey": where.secret_key},
        "key": key,
        "partSize": PART,
    }
    return float(page.evaluate(_SEND, [storage]))


def _run(*command: str) -> None:
    found = subprocess.run(command, check=False, cwd=PEER, capture_output=True, text=True)
    if found.returncode:
        raise PeerMissing(f"{command[0]} failed:\n{(found.stdout + found.stderr)[-600:]}")
