"""Where a request ends, found in bytes that arrive in any pieces."""

from __future__ import annotations

import pytest

from app.runtime.web_server.request_gathering import MAX_GATHERED, MAX_HEAD, Gathering, Stage

HEAD = b"POST /x HTTP/1.1\r\nHost: here\r\n"
WHOLE = {
    "no body": b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
    "no headers": b"GET / HTTP/1.0\r\n\r\n",
    "an empty line before": b"\r\nGET / HTTP/1.1\r\nHost: here\r\n\r\n",
    "a length": HEAD + b"content-LENGTH:  5 \r\n\r\nhello",
    "a length of nothing": HEAD + b"Content-Length: 0\r\n\r\n",
    "the largest length": HEAD + b"Content-Length: %d\r\n\r\n" % MAX_GATHERED + b"x" * MAX_GATHERED,
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA ;x=y\r\n0123456789\r\n0\r\n\r\n",
    "chunks that hold an end": HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\n0\r\n\r\n0\r\n\r\r\n0\r\n\r\n",
    "trailers": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\n",
    "a body like a header": HEAD + b"Content-Length: 25\r\n\r\nx\r\nContent-Length: 9999\r\n",
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_request_is_ready_with_its_last_byte_and_not_before(name: str) -> None:
    sent = WHOLE[name]
    gathering, held = Gathering(), bytearray()
    cuts = range(1, len(sent) + 1) if len(sent) < 1000 else (10, 60, 70, 5000, len(sent) - 1, len(sent))
    for cut in cuts:
        held += sent[len(held) : cut]
        stage = gathering.look(held)
        assert (stage is Stage.READY) == (cut == len(sent)), cut
        assert gathering.is_whole == (cut == len(sent))


@pytest.mark.parametrize("name", WHOLE)
def test_what_follows_belongs_to_the_next_request(name: str) -> None:
    gathering = Gathering()
    assert gathering.look(bytearray(WHOLE[name] + b"GET /next")) is Stage.READY
    assert gathering.is_whole


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"Content-Length: %d\r\n\r\n" % (MAX_GATHERED + 1),
        HEAD + b"Content-Length: 20000000000\r\n\r\nbegin",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n200000\r\nbegin",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * (MAX_GATHERED // 6 + 1),
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 10_000,
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        HEAD + b"Content-Length: 5x\r\n\r\n",
        b"GET / HTTP/1.1\nHost: here\n\n",
        HEAD + b"X: y\n",
    ],
    ids=lambda sent: repr(bytes(sent[-30:])),
)
def test_a_large_body_and_one_that_breaks_the_rules_have_a_thread_at_once(sent: bytes) -> None:
    gathering = Gathering()
    assert gathering.look(bytearray(sent)) is Stage.READY
    assert not gathering.is_whole


@pytest.mark.parametrize(
    ("sent", "large"),
    [
        (b"Content-Length: %d\r\n\r\n" % (MAX_GATHERED + 1), True),
        (b"Transfer-Encoding: chunked\r\n\r\n200000\r\n", True),
        (b"Transfer-Encoding: chunked\r\n\r\n80000\r\n" + b"x" * 0x80000 + b"\r\n80001\r\n", True),
        (b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * (MAX_GATHERED // 6), True),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * MAX_HEAD, True),
        (b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", False),
    ],
    ids=["a length", "one chunk", "two chunks", "small chunks", "trailers", "broken"],
)
def test_a_body_too_large_to_be_gathered_is_told_from_a_broken_one(sent: bytes, large: bool) -> None:
    gathering = Gathering()
    assert gathering.look(bytearray(HEAD + sent)) is Stage.READY
    assert gathering.is_large == large


@pytest.mark.parametrize("line", [b"000000005", b"0" * 5000 + b"5"])
def test_zeros_before_a_size_do_not_take_a_thread(line: bytes) -> None:
    """The parser takes such a size, and would wait for what it announces."""
    gathering, held = Gathering(), bytearray(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + line + b"\r\nhell")
    assert gathering.look(held) is Stage.BODY
    held += b"o\r\n0\r\n\r\n"
    assert gathering.look(held) is Stage.READY
    assert gathering.is_whole
    assert not gathering.is_large


def test_chunks_of_the_largest_body_are_gathered() -> None:
    half = b"80000\r\n" + b"x" * 0x80000 + b"\r\n"
    gathering = Gathering()
    assert gathering.look(bytearray(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + half * 2)) is Stage.BODY


def test_what_is_no_http_and_endless_headers_are_told_apart() -> None:
    assert Gathering().look(bytearray(b"\x16\x03\x01")) is Stage.NO_HTTP
    assert Gathering().look(bytearray(HEAD + b"X: " + b"y" * MAX_HEAD)) is Stage.TOO_LARGE
    assert Gathering().look(bytearray(HEAD + b"X: " + b"y" * MAX_HEAD + b"\r\n\r\n")) is Stage.TOO_LARGE


@pytest.mark.parametrize(
    ("framing", "body"), [(b"Content-Length: 5", b"hello"), (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n")]
)
def test_an_expectation_is_taken_out_when_it_was_met(framing: bytes, body: bytes) -> None:
    gathering, held = Gathering(), bytearray(HEAD + b"Expect: 100-Continue\r\n" + framing + b"\r\n\r\n")
    assert gathering.look(held) is Stage.BODY
    assert gathering.wants_continue
    gathering.meet_expectation(held)
    assert held == HEAD + framing + b"\r\n\r\n"
    held += body[:-1]
    assert gathering.look(held) is Stage.BODY
    held += body[-1:]
    assert gathering.look(held) is Stage.READY
