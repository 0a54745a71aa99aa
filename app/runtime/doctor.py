"""`flask doctor`: checks of this installation, each with a name and one plain result. They leave no traces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.config.settings import SettingsError
from app.process.check_result import CheckResult, failed
from app.refusals import Refusal
from app.runtime import installation_checks, proxy_check
from app.storage import address_checks, capabilities, diagnosis


@dataclass(frozen=True)
class Check:
    """A check and its name."""

    name: str
    run: Callable[[], CheckResult]


CHECKS = (
    Check("database", installation_checks.database_is_ready),
    Check("redis", installation_checks.redis_answers),
    Check("disk", installation_checks.disk_has_room),
    Check("secrets", installation_checks.secrets_are_private),
    Check("storage", diagnosis.storage_answers),
    Check("storage clock", address_checks.clock_agrees),
    Check("public address", address_checks.public_address_works),
    Check("agent address", address_checks.agent_address_works),
    Check("direct uploads", diagnosis.direct_uploads_are_safe),
    Check("upload identity", diagnosis.upload_identity_may_only_put),
    Check("storage CORS", diagnosis.cors_names_the_portal),
    Check("proxy", proxy_check.proxy_passes_requests_on),
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
