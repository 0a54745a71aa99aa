"""The children that decode images: bounded in time and memory, ended at once, holding no secret."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from PIL import Image

from app.images import image_processes
from app.images.image_processes import DecoderDied, ImageProcesses, ImageRefused, Interrupted, inspection_processes
from tests.app.images.images import picture
from tests.app.runtime.processes import wait_until


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image that takes a while."""
    path = tmp_path_factory.mktemp("images") / "big.png"
    Image.effect_noise((2500, 2500), 60).save(path, compress_level=1)
    return path


@pytest.mark.slow
def test_a_decoder_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    processes = ImageProcesses("testing", 1, seconds=1)
    small = tmp_path / "small.png"
    small.write_bytes(picture(8, 8))
    # A pipe that nobody writes to is an image that never comes.
    slow = tmp_path / "slow"
    os.mkfifo(slow)
    keep_open = os.open(slow, os.O_RDWR)
    try:
        assert processes.examine(small).width == 8
        with pytest.raises(ImageRefused, match="1 seconds"):
            processes.examine(slow)
        assert processes.examine(small).width == 8
    finally:
        os.close(keep_open)
        processes.stop()


def test_stopping_ends_the_children_and_whoever_waits_for_them(big: Path) -> None:
    processes = ImageProcesses("testing", 1, seconds=30)
    known = decoders()
    with ThreadPoolExecutor(2) as pool:
        working, waiting = pool.submit(processes.derive, big), pool.submit(processes.derive, big)
        wait_until(lambda: len(decoders() - known) >= 2, 30, "a child decodes")
        processes.stop()
        for done in (working, waiting):
            with pytest.raises(Interrupted):
                done.result(25)
    wait_until(lambda: not decoders() - known, 30, "every decoder ended")


@pytest.mark.slow
def test_a_decoder_that_is_killed_is_told_apart_and_the_next_one_works(big: Path) -> None:
    processes = ImageProcesses("testing", 1, seconds=30)
    known = decoders()
    try:
        with ThreadPoolExecutor(1) as pool:
            working = pool.submit(processes.derive, big)
            wait_until(lambda: len(decoders() - known) >= 2, 30, "a child decodes")
            newest(decoders() - known).kill()
            with pytest.raises(DecoderDied):
                working.result(10)
        assert processes.examine(big).height == 2500
    finally:
        processes.stop()


def test_a_decoder_knows_no_secret(big: Path) -> None:
    inspection_processes.examine(big)
    environments = []
    for pid in decoders():
        with suppress(psutil.NoSuchProcess):  # the child of an image ends when it has answered
            environments.append(psutil.Process(pid).environ())
    assert environments, "the server, from which every child has its environment, lives on"
    for environment in environments:
        assert set(environment) <= {"PATH", "LC_ALL", "LC_CTYPE", "GLIBC_TUNABLES"}


def test_a_decoder_loads_nothing_of_the_app_but_formats(big: Path) -> None:
    """A start of Flask and the database layer would take seconds, and bring in settings and models."""
    inspection_processes.examine(big)
    list_modules = "import sys\nprint(*sorted(sys.modules))"
    start = image_processes._START.replace("__main__", "decoder")  # imports, and serves nobody
    run = [sys.executable, "-I", "-c", start + list_modules, *map(str, image_processes._PACKAGES)]
    loaded = subprocess.run(run, capture_output=True, text=True, check=True, cwd="/").stdout.split()
    ours = {name for name in loaded if name.startswith("app.")}
    assert "app.images.decoding.opening" in ours
    assert {name.split(".")[2] for name in ours if name.count(".") > 1} == {"decoding", "foreign_formats", "metadata"}
    assert not {"flask", "sqlalchemy", "app.config", "app.data"} & set(loaded)


def newest(pids: set[int]) -> psutil.Process:
    """The process that began last: the child, and not the server that forked it."""
    return max((psutil.Process(pid) for pid in pids), key=lambda process: process.create_time())


def decoders() -> set[int]:
    """The servers of image processes of this test run, and their children."""
    found: set[int] = set()
    for child in psutil.Process().children():
        try:
            if "decoding.decoder_server" in " ".join(child.cmdline()):
                found |= {child.pid, *(one.pid for one in child.children())}
        except psutil.Error:
            continue
    return found


@pytest.mark.slow
def test_memory_is_bounded(tmp_path: Path) -> None:
    """The largest pictures that may be decoded fit; what does not is refused and not killed."""
    path = tmp_path / "large.webp"
    Image.new("RGBA", (6400, 6250), (1, 2, 3, 4)).save(path, "WEBP", method=0)
    processes = ImageProcesses("testing", 1, seconds=60)
    try:
        assert processes.derive(path).variants[-1].width == 2048
        assert processes.examine(path).width == 6400
    finally:
        processes.stop()
