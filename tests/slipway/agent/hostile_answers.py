"""What a broken or hostile platform could answer, for hypothesis to choose from."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

# json.loads takes NaN, Infinity and 1e999 too.
NUMBERS = (
    st.integers()
    | st.floats()
    | st.sampled_from([-1, 0, 2**31, 2**63, 2**64, 10**400, -(10**400), 1e308, float("inf"), float("nan"), 1e-320])
)
_TRAVERSING = ["", ".", "..", "../..", "../outside", "/etc", "a/../../outside", ".slipway", "outside", "current", "\0"]
_ODD = ["\ud800", "é" * 200, "x" * 5000, "-rf", "~", "$(id)", "C:\\x", "g1", "other-data", "1", "file:///etc/passwd"]
NAMES = st.sampled_from(_TRAVERSING + _ODD)
SCALARS = st.none() | st.booleans() | NUMBERS | NAMES | st.text()
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(), inner, max_size=3)
)


@st.composite
def spoilt(draw: st.DrawFn, valid: Any) -> Any:
    """A document that is `valid` but in up to four places, each deep in it or not."""
    document = copy.deepcopy(valid)
    for _ in range(draw(st.integers(0, 4))):
        places = list(_places(document))
        if not places:
            return draw(JSON)
        holder, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(["replace", "drop", "double"])):
            case "replace":
                holder[key] = draw(JSON)
            case "drop":
                del holder[key]
            case "double" if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[key]))
    return document


def _places(document: Any) -> Any:
    """Every (container, key) in it."""
    keys: Any = ()
    if isinstance(document, dict):
        keys = list(document)
    elif isinstance(document, list):
        keys = range(len(document))
    for key in keys:
        yield document, key
        yield from _places(document[key])


def as_bytes(document: Any) -> bytes:
    return json.dumps(document).encode()


_SECONDS = [
    "1e308",
    "1e999",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "-1",
    "0",
    "5",
    "1" * 400,
    "9" * 5000,
    "０",
    "²",
    "1_000",
    " 7 ",
]
_DATES = [
    "Wed, 21 Oct 2099 07:28:00 GMT",
    "Wed, 21 Oct 1970 07:28:00 GMT",
    "Wed, 21 Oct 99999 07:28:00 GMT",
    "Wed, 99 Oct 2026 07:28:00 GMT",
    "Mon, 01 Jan 0001 00:00:00 +1400",
    "Fri, 31 Dec 9999 23:59:59 -1400",
    "Wed, 21 Oct 2026 07:28:00 +99999999999",
    "Wed, 21 Oct 2026 07:28:00 -0000",
]
_NUMBERS_IN_DATES = st.integers(-1, 10**6)
RETRY_AFTER = (
    st.sampled_from(_SECONDS + _DATES)
    | st.text()
    | st.tuples(*[_NUMBERS_IN_DATES] * 5).map(lambda n: "Wed, {} Oct {} {}:{}:00 +{}".format(*n))
)
BODIES = (
    st.binary()
    | st.sampled_from(
        [b"[" * 100_000, b'{"a":' * 5000, b"9" * 10_000, b'{"version": ' + b"9" * 5000 + b"}", b"\xff\xfe{}"]
    )
    | JSON.map(as_bytes)
)


@st.composite
def answers(draw: st.DrawFn, valid: Any) -> bytes:
    """An answer as it comes over the line, with `valid` for a body that may be spoilt."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary())
    status = draw(st.sampled_from([200, 200, 200, 201, 204, 301, 400, 401, 404, 409, 429, 500, 503, 99, 999]))
    body = draw(st.just(as_bytes(valid)) | spoilt(valid).map(as_bytes) | BODIES)
    lines = [f"HTTP/1.1 {status} {draw(st.sampled_from(['OK', '', 'x' * 300]))}".encode()]
    lines += draw(st.lists(_header_lines(len(body)), max_size=3))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _header_lines(length: int) -> st.SearchStrategy[bytes]:
    values: dict[str, st.SearchStrategy[str]] = {
        "Content-Length": st.sampled_from([str(length), "0", "-1", "1", "9" * 400, "1, 2", "x"]),
        "Transfer-Encoding": st.sampled_from(["chunked", "gzip", "x"]),
        "Content-Encoding": st.sampled_from(["gzip", "deflate", "br", "identity"]),
        "Retry-After": RETRY_AFTER,
        "Content-Range": st.sampled_from(
            ["bytes 0-9/10", "bytes 0-9/*", f"bytes {'9' * 5000}-1/1", "bytes ٣-٤/٥", "x"]
        ),
        "Location": st.sampled_from(["http://127.0.0.1:1/", "file:///etc/passwd", ""]),
        "Connection": st.sampled_from(["close", "keep-alive", "upgrade"]),
    }
    return st.sampled_from(sorted(values)).flatmap(
        lambda name: values[name].map(lambda value: f"{name}: {value}".encode(errors="replace").replace(b"\n", b" "))
    )
