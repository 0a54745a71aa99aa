"""Reads an object in ranges and drops the bytes: `raw_reader.py URL BYTES`, from standard input's first line on.

It prints `ready` when it waits, and ends when it has read everything.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import urllib3

RANGE = 16 * 2**20
THREADS = 4
PIECE = 2**18


def main() -> None:
    url, size = sys.stdin.readline().split()
    total = int(size)
    pool = urllib3.PoolManager(maxsize=THREADS, retries=False)

    def read(start: int) -> None:
        end = min(start + RANGE, total) - 1
        response = pool.request("GET", url, headers={"Range": f"bytes={start}-{end}"}, preload_content=False)
        while response.read1(PIECE):
            pass

    print("ready", flush=True)
    sys.stdin.readline()
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(read, range(0, total, RANGE)))


if __name__ == "__main__":
    main()
