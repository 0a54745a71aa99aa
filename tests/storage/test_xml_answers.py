"""Answers of storage in XML: any namespace is accepted, and an answer that is not understood is logged."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.storage.xml_answers import EXCERPT_LENGTH, NotUnderstood, excerpt, understood

AWS = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
OTHERS = ' xmlns="https://s3.example.org/2021"'


@pytest.mark.parametrize("namespace", [AWS, OTHERS, ""], ids=["of AWS", "another", "none"])
def test_the_namespace_does_not_matter(namespace: str) -> None:
    body = f"""<?xml version="1.0"?><ListPartsResult{namespace}><IsTruncated>true</IsTruncated>
        <Part><PartNumber>1</PartNumber><Size> 7 </Size><ETag>"a"</ETag>
        <LastModified>2026-11-29T12:00:00.000Z</LastModified></Part></ListPartsResult>"""
    with understood(body.encode(), "listing parts") as page:
        (part,) = page.each("Part")
        assert (part.number("PartNumber"), part.number("Size"), part.required("ETag")) == (1, 7, '"a"')
        assert part.moment("LastModified") == datetime(2026, 11, 29, 12, tzinfo=UTC)
        assert page.flag("IsTruncated")
        assert page.text("NextPartNumberMarker") == ""


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html><body>Welcome to the hotel network", "it is not XML"),
        (b"<R><Other/></R>", "it has no UploadId"),
        (b"", "it is not XML"),
    ],
)
def test_what_is_not_understood_is_in_the_log(body: bytes, why: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(NotUnderstood), understood(body, "starting an upload") as answer:
        answer.required("UploadId")
    assert f"storage's answer while starting an upload was not understood, because {why}" in caplog.text
    assert body.decode() in caplog.text


def test_an_excerpt_is_short_and_on_one_line() -> None:
    shown = excerpt(b"<a>\n\x1b[2J" + b"x" * 5000)
    assert len(shown) < EXCERPT_LENGTH + 20
    assert "\n" not in shown
    assert "\x1b" not in shown


def test_an_excerpt_has_no_secret() -> None:
    body = (
        b"<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AKIA1</AWSAccessKeyId>"
        b"<SignatureProvided>5ec7e7</SignatureProvided></Error>"
    )
    assert "SignatureDoesNotMatch" in excerpt(body)
    assert "AKIA1" not in excerpt(body)
    assert "5ec7e7" not in excerpt(body)
    assert "5ec7e7" not in excerpt(b"no such address: /b/k?X-Amz-Signature=5ec7e7&x=1")
