"""S3's XML answers, as different storages write them: with AWS's namespace, another one, or none."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from xml.etree import ElementTree  # parses answers of our own storage only

log = logging.getLogger(__name__)

EXCERPT_LENGTH = 200
# Errors about signatures repeat what was signed, and a signed address gives access to its object.
_SECRETS = re.compile(
    r"(X-Amz-(?:Signature|Credential|Security-Token)=)[^&<\s\"]+"
    r"|(<(?:SignatureProvided|AWSAccessKeyId|StringToSign|StringToSignBytes|CanonicalRequest|CanonicalRequestBytes)>)[^<]*",
    re.IGNORECASE,
)


class NotUnderstood(ValueError):
    """An answer without a field that it must have, or that is not XML."""


class XmlAnswer:
    """One element of an answer. Names are given without a namespace."""

    def __init__(self, element: ElementTree.Element) -> None:
        self._element = element

    def text(self, name: str) -> str:
        """The text of a child, without space around it. Empty if there is none."""
        return (self._element.findtext(f"{{*}}{name}") or "").strip()

    def required(self, name: str) -> str:
        """The text of a child. Raises NotUnderstood if it is missing or empty."""
        if not (text := self.text(name)):
            raise NotUnderstood(f"it has no {name}")
        return text

    def number(self, name: str) -> int:
        try:
            return int(self.required(name))
        except ValueError:
            raise NotUnderstood(f"its {name} is not a number") from None

    def moment(self, name: str) -> datetime:
        """A point in time, with a zone."""
        try:
            found = datetime.fromisoformat(self.required(name))
        except ValueError:
            raise NotUnderstood(f"its {name} is not a time") from None
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def flag(self, name: str) -> bool:
        return self.text(name).lower() == "true"

    def each(self, name: str) -> Iterator[XmlAnswer]:
        """The children with this name."""
        return (XmlAnswer(found) for found in self._element.iterfind(f"{{*}}{name}"))


@contextmanager
def understood(data: bytes, doing: str) -> Iterator[XmlAnswer]:
    """The answer to read within the block. Logs an answer that cannot be read, and raises NotUnderstood."""
    try:
        try:
            root = ElementTree.fromstring(data)  # noqa: S314 (our own storage's answer)
        except ElementTree.ParseError:
            raise NotUnderstood("it is not XML") from None
        yield XmlAnswer(root)
    except NotUnderstood as error:
        log.warning("storage's answer while %s was not understood, because %s: %s", doing, error, excerpt(data))
        raise


def excerpt(data: bytes) -> str:
    """The beginning of an answer for the log, on one line and without secrets."""
    text = " ".join(data[: 20 * EXCERPT_LENGTH].decode(errors="replace").split())
    shown = _SECRETS.sub(lambda found: f"{found[1] or found[2]}…", text)
    return repr(shown if len(shown) <= EXCERPT_LENGTH else f"{shown[:EXCERPT_LENGTH]}…")
