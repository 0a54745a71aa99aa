"""Forks one child per image: no data of a picture outlives its work, and a start costs a millisecond, not the 100 ms of
Python and Pillow.

The protocol runs over the socket on standard input. One message is one job: JSON and two file descriptors, the image to
read and the pipe for the answer. The answer is a line of JSON and then the bytes of the variants. When the socket
closes, this process ends with all children, because its client is gone.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import resource
import signal
import socket
import sys
import traceback
from typing import Any, BinaryIO

from PIL import Image

from app.images.decoding.opening import PILLOW_FORMATS, BadImage, examine
from app.images.decoding.variants import derive

MESSAGE = 4096
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
# Loaded before any fork: a child may die at its limits, but must not die because it loads a library.
_prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


def serve(control: socket.socket) -> None:
    """Answer jobs until the other end closes the socket."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by the kernel
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, MESSAGE, 2)
        if not message:
            return
        server = os.getpid()
        if os.fork() == 0:
            control.close()
            _work_and_end(json.loads(message), descriptors, server)
        for descriptor in descriptors:
            os.close(descriptor)


def _work_and_end(job: dict[str, Any], descriptors: list[int], server: int) -> None:
    """In the child. Never returns."""
    code = 1
    try:
        _limit(job, server)
        source, out = descriptors
        with os.fdopen(source, "rb") as file, os.fdopen(out, "wb") as answer:
            _answer(job, file, answer)
        code = 0
    finally:
        os._exit(code)  # skips the parent's clean-up


def _limit(job: dict[str, Any], server: int) -> None:
    """From here on the kernel ends this process when it uses too much memory or time, or when its parent ends."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != server:
            os._exit(1)
    seconds, memory = job["seconds"], job["memory"]
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no file, only the pipe
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _answer(job: dict[str, Any], file: BinaryIO, answer: BinaryIO) -> None:
    data: list[bytes] = []
    try:
        if job["work"] == "examine":
            facts = examine(file, job["mostPixels"])
            result: dict[str, Any] = {
                "type": facts.mime_type,
                "width": facts.width,
                "height": facts.height,
                "orientation": facts.orientation,
            }
        else:
            derived = derive(file, job["sizes"], job["mostPixels"])
            data = [variant.data for variant in derived.variants]
            result = {
                "placeholder": derived.placeholder.hex(),
                "variants": [
                    {
                        "size": variant.size,
                        "width": variant.width,
                        "height": variant.height,
                        "length": len(variant.data),
                        "sha256": hashlib.sha256(variant.data).hexdigest(),
                    }
                    for variant in derived.variants
                ],
            }
    except BadImage as bad:
        result = {"bad": str(bad)}
    except MemoryError:
        result, data = {"bad": f"needs more than the {job['memory'] // 1024**2:,} MiB that decoding may take"}, []
    except Exception as error:  # of any kind: without an answer the client would only try again
        traceback.print_exc()
        result = {"bad": f"cannot be decoded ({type(error).__name__})"}
    answer.write(json.dumps(result).encode() + b"\n")
    for part in data:
        answer.write(part)


def warm_up() -> None:
    """Read and write a small picture of every format. Pillow loads modules on first use; each child would need 30 ms
    for that."""
    for name in PILLOW_FORMATS:
        with os.fdopen(os.memfd_create("warm-up"), "w+b") as file:
            Image.new("RGB", (8, 8)).save(file, name)
            file.seek(0)
            derive(file, [8, 4], 64)


if __name__ == "__main__":
    warm_up()
    serve(socket.socket(fileno=sys.stdin.fileno()))
