"""`flask doctor`: checks of this installation, each with a name and one plain result. They leave no traces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.config.settings import SettingsError
from app.process.check_result import CheckResult, failed
from app.refusals import Refusal
from app.storage import capabilities, diagnosis


@dataclass(frozen=True)
class Check:
    """A check and its name."""

    name: str
    run: Callable[[], CheckResult]


CHECKS = (
    Check("storage", diagnosis.storage_answers),
    Check("direct uploads", diagnosis.direct_uploads_are_safe),
    Check("upload identity", diagnosis.upload_identity_may_only_put),
    Check("storage CORS", diagnosis.cors_names_the_portal),
    Check("storage ranges", capabilities.ranges_are_sent),
    Check("storage transfers", capabilities.transfers_are_listed),
)


def results() -> Iterator[tuple[str, CheckResult]]:
    """Run every check in order. Yields its name and result."""
    for check in CHECKS:
        try:
            yield check.name, check.run()
        except Refusal as refusal:
            yield check.name, failed(refusal.message)
        except SettingsError as error:
            yield check.name, failed(str(error))
