"""`flask doctor`: checks of this installation, each with a name and one plain result. They leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.check_result import CheckResult, failed
from app.config import SettingsError
from app.refusals import Refusal
from app.storage import diagnosis


@dataclass(frozen=True)
class Check:
    """A check and what it is called."""

    name: str
    run: Callable[[], CheckResult]


CHECKS = (
    Check("storage", diagnosis.storage_answers),
    Check("direct uploads", diagnosis.direct_uploads_are_safe),
    Check("upload identity", diagnosis.upload_identity_may_only_put),
    Check("storage CORS", diagnosis.cors_names_the_portal),
)


def results() -> Iterator[tuple[str, CheckResult]]:
    """Run every check, one after the other: its name and what it found."""
    for check in CHECKS:
        try:
            yield check.name, check.run()
        except Refusal as refusal:
            yield check.name, failed(refusal.message)
        except SettingsError as error:
            yield check.name, failed(str(error))
