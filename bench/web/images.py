"""Images: derived sizes per second compared with plain Pillow, the duration of a confirm, and a list of 10,000.

`SLIPWAY_BENCH_IMAGES` (default 30) is the number of images whose sizes are made.
"""

from __future__ import annotations

import base64
import hashlib
import io
import multiprocessing
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import urllib3
from flask import Flask
from PIL import Image
from sqlalchemy import event, func, insert, select, update

from app import create_app
from app.config.settings import load_settings
from app.data.database import writing
from app.data.extensions import db
from app.data.models.asset import Asset, Blob
from app.data.models.base import now
from app.data.models.game import Game
from app.data.models.partner import Partner
from app.images.decoding.variants import derive as bare_derive
from app.images.image_limits import MAX_IMAGE_PIXELS, VARIANT_SIZES
from app.images.image_processes import derivation_processes
from app.runtime.jobs import jobs
from bench.harness.bench_server import BenchServer, percentile, register_game, running_server, verdict

IMAGES = int(os.environ.get("SLIPWAY_BENCH_IMAGES", "30"))
ROUNDS = 5
LISTED = 10_000
CONFIRMS = 12


def run(directory: Path) -> bool:
    """Whether every target was met."""
    os.environ |= {"SLIPWAY_PRESIGN_RATE": "100000 per minute", "SLIPWAY_CONFIRM_RATE": "100000 per minute"}
    with running_server(directory) as stage:
        game_id = register_game(stage, "images")
        files = [_card(seed) for seed in range(IMAGES)]
        print(f"  {IMAGES} images of {len(files[0]) / 1e6:.2f} MB, {derivation_processes.limit} processes")
        for file in files:
            _upload(stage, game_id, file)
        met = _derivations(stage, _on_disk(directory / "files", files))
        _confirms(stage, game_id)
        return _list(stage, game_id) and met


def _card(seed: int, width: int = 2000, height: int = 2830) -> bytes:
    """A realistic card, a PNG of 5 MB: soft colours with some grain."""
    gradient = Image.linear_gradient("L").rotate(seed * 7, expand=False).resize((width, height))
    grain = Image.effect_noise((width, height), 12)
    card = Image.merge("RGB", (gradient, Image.blend(gradient, grain, 0.12), grain.point(lambda v: v // 3)))
    card.paste((seed * 3 % 256, 90, 120), (200, 300, 1300, 1200))
    out = io.BytesIO()
    card.save(out, "PNG", compress_level=3)
    return out.getvalue()


def _bare(file: Path) -> int:
    with file.open("rb") as source:
        return len(bare_derive(source, VARIANT_SIZES, MAX_IMAGE_PIXELS).variants)


def _on_disk(directory: Path, files: list[bytes]) -> list[Path]:
    directory.mkdir()
    for number, file in enumerate(files):
        (directory / f"{number}.png").write_bytes(file)
    return sorted(directory.iterdir())


def _derivations(stage: BenchServer, files: list[Path]) -> bool:
    """Measured in turns, so that other load on the machine affects both."""
    bare, ours = [], []
    for _ in range(ROUNDS):
        bare.append(_bare_rate(files))
        ours.append(_our_rate(stage))
    print(f"  images/s: bare Pillow {[round(n, 2) for n in bare]}, through the app {[round(n, 2) for n in ours]}")
    return verdict("derivations over a bare loop", statistics.median(ours) / statistics.median(bare), 0.95, least=True)


def _bare_rate(files: list[Path]) -> float:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(derivation_processes.limit, mp_context=spawn) as pool:
        list(pool.map(_bare, files[: derivation_processes.limit]))  # the processes are there
        begun = time.monotonic()
        list(pool.map(_bare, files))
        return len(files) / (time.monotonic() - begun)


def _our_rate(stage: BenchServer) -> float:
    """Through the queue and the web process's workers: fetch from storage, derive in a child process each, store and
    record."""
    app = create_app(load_settings(os.environ | stage.environment))
    with app.app_context():
        blob_ids = db.session.scalars(select(Blob.id)).all()
        _wait_for_sizes(len(blob_ids))  # those of the uploads, which also warm up
        with writing() as session:
            session.execute(update(Blob).values(derivation="pending", derive_attempts=0, derive_at=now()))
        begun = time.monotonic()
        for blob_id in blob_ids:
            jobs(app).enqueue("derive_image", blob_id)
        _wait_for_sizes(len(blob_ids))
        return len(blob_ids) / (time.monotonic() - begun)


def _wait_for_sizes(count: int) -> None:
    deadline = time.monotonic() + 60 + 20 * count
    while time.monotonic() < deadline:
        db.session.rollback()
        if db.session.scalar(select(func.count()).where(Blob.derivation == "ready")) == count:
            return
        time.sleep(0.2)
    raise SystemExit("the sizes of some images were not made")


def _confirms(stage: BenchServer, game_id: str) -> None:
    """One after another: fetch, hash, decode, store under its name, record."""
    files = [_card(1000 + seed) for seed in range(CONFIRMS)]
    times = [_upload(stage, game_id, file) for file in files]
    size = statistics.mean(len(file) for file in files) / 1e6
    print(f"  confirm of a {size:.1f} MB PNG: median {statistics.median(times) * 1000:.0f} ms, "
          f"p95 {percentile(times, 0.95) * 1000:.0f} ms")  # fmt: skip


def _upload(stage: BenchServer, game_id: str, file: bytes) -> float:
    """Presign, PUT and confirm. Returns the seconds of the confirm."""
    digest = base64.b64encode(hashlib.sha256(file).digest()).decode()
    announced = {"fileName": "card.png", "contentType": "image/png", "byteSize": len(file)}
    presigned = _call(stage, game_id, "presign", announced | {"checksum": f"sha256-{digest}"})
    stored = urllib3.request("PUT", presigned["signedUrl"], body=file, headers={"Content-Type": "image/png"})
    if stored.status != 200:
        raise SystemExit(f"storage answered {stored.status}")
    sent = {name: presigned[name] for name in ("key", "publicUrl", "contentType")}
    begun = time.monotonic()
    _call(stage, game_id, "upload-complete", sent | {"byteSize": len(file)})
    return time.monotonic() - begun


def _call(stage: BenchServer, game_id: str, name: str, body: dict[str, object]) -> dict[str, str]:
    answer = urllib3.request(
        "POST",
        f"{stage.url}/api/v1/games/{game_id}/assets/{name}",
        headers={"Authorization": f"Bearer {stage.key}"},
        json=body,
    )
    if answer.status != 200:
        raise SystemExit(f"{name}: {answer.status} {answer.data!r}")
    found: dict[str, str] = answer.json()
    return found


def _list(stage: BenchServer, game_id: str) -> bool:
    app = create_app(load_settings(os.environ | stage.environment))
    with app.app_context():
        few = _listed(app, stage, game_id, 100)
        many = _listed(app, stage, game_id, LISTED)
    print(f"  a list of {LISTED:,}: {many[0]} queries, {many[1] * 1000:.0f} ms")
    return verdict(f"queries at {LISTED:,} assets over queries at 100", many[0] / few[0], 1, least=False)


def _listed(app: Flask, stage: BenchServer, game_id: str, count: int) -> tuple[int, float]:
    """The number of queries and the median seconds of the list with `count` images."""
    _fill(game_id, count)
    seen: list[str] = []
    client, headers = app.test_client(), {"Authorization": f"Bearer {stage.key}"}
    path = f"/api/v1/games/{game_id}/assets"
    client.get(path, headers=headers)
    event.listen(db.engine, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))
    times = []
    for _ in range(5):
        seen.clear()
        begun = time.monotonic()
        answer = client.get(path, headers=headers)
        times.append(time.monotonic() - begun)
    if answer.json is None or len(answer.json["assets"]) < count:
        raise SystemExit("the list does not hold every asset")
    return len(seen), statistics.median(times)


def _fill(game_id: str, count: int) -> None:
    """Insert rows of confirmed images, without their objects."""
    have = db.session.scalar(select(func.count()).select_from(Asset)) or 0
    partner_id = db.session.scalars(select(Partner.id)).one()
    app_id = db.session.scalars(select(Asset.app_id).join(Game).where(Game.id == game_id)).first()
    common = {"partner_id": partner_id, "size": 10, "mime_type": "image/png", "width_px": 1, "height_px": 1}
    common |= {"state": "stored", "unused_since": None, "created_at": now(), "held_at": now(), "derivation": "ready"}
    common |= {"derive_attempts": 0, "derive_at": now()}
    numbers = range(have, count)
    blobs = [common | {"id": f"b{n}", "sha256": f"{n:064x}", "object_key": f"uploads/sh/bench-{n}"} for n in numbers]
    asset = {"game_id": game_id, "app_id": app_id, "sent_by": "bench", "created_at": now()}
    assets = [asset | {"id": f"a{n}", "blob_id": f"b{n}", "file_name": f"{n}.png"} for n in numbers]
    with writing() as session:
        session.execute(insert(Blob), blobs)
        session.execute(insert(Asset), assets)
    db.session.rollback()
