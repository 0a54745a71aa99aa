"""The files in deploy/ are well formed, hardened, and agree with the program's own settings and limits."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from app.config.settings import Settings
from tests.conftest import ROOT
from tests.deploy.systemctl import unit_section
from tests.test_docs import settings_in_code

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
PROGRAMS = Path(sys.executable).parent
# Uploads that were cut have this long to answer (gunicorn_settings).
UNWIND_SECONDS = 2
MAX_EXPOSURE = 2.0
TEXT, TEXTS = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["image", "restart", "logging"],
    "properties": {
        "image": {"type": "string"},
        "build": {"type": "object", "required": ["context", "dockerfile"]},
        "command": TEXTS,
        "environment": {"type": "object", "additionalProperties": TEXT},
        "volumes": TEXTS,
        "restart": {"enum": ["no", "unless-stopped"]},
        "read_only": {"type": "boolean"},
        "tmpfs": TEXTS,
        "cap_drop": TEXTS,
        "security_opt": TEXTS,
        "logging": {"type": "object", "required": ["driver", "options"]},
        "depends_on": {"anyOf": [TEXTS, {"type": "object", "additionalProperties": {"required": ["condition"]}}]},
        "stop_grace_period": {"type": "string", "pattern": r"^\d+s$"},
        "healthcheck": {"type": "object", "required": ["test", "interval", "timeout", "retries"]},
        "configs": {"type": "array", "items": {"required": ["source", "target"]}},
        "ports": TEXTS,
    },
}


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())
    return found


def names_in(path: Path) -> set[str]:
    """Variables that an environment file sets, or suggests."""
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_systemd_accepts_the_unit_and_finds_it_hardened(unit: Path, tmp_path: Path) -> None:
    """The programs are not installed here, so that another takes their place."""
    copy = tmp_path / unit.name
    copy.write_text(re.sub(r"/opt/slipway/bin/[a-z-]+", "/bin/true", unit.read_text()))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", copy], capture_output=True, text=True
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    security = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", copy], capture_output=True, text=True
    )
    exposure = re.search(r"Overall exposure level for .*: ([\d.]+)", security.stdout)
    assert exposure
    assert float(exposure[1]) <= MAX_EXPOSURE, security.stdout


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_units_start_programs_that_the_wheel_installs(unit: Path) -> None:
    program = unit_section(unit)["ExecStart"].split()[0]
    assert program.startswith("/opt/slipway/bin/")
    assert (PROGRAMS / Path(program).name).exists()


def test_stopping_waits_longer_than_running_uploads_get() -> None:
    default = Settings.model_fields["drain_seconds"].default
    web = unit_section(DEPLOY / "systemd/slipway-web.service")
    assert int(web["TimeoutStopSec"]) > default + UNWIND_SECONDS
    assert web["KillMode"] == "mixed"

    portal = compose()["services"]["portal"]
    drain = float(portal["environment"]["SLIPWAY_DRAIN_SECONDS"])
    assert int(portal["stop_grace_period"].removesuffix("s")) > drain + UNWIND_SECONDS


def test_settings_are_the_programs_own() -> None:
    known = settings_in_code()
    assert names_in(DEPLOY / "systemd/portal.env") <= known
    found = compose()
    assert set(found["services"]["portal"]["environment"]) <= known
    assert names_in(DEPLOY / "compose/env.example") == set(re.findall(r"\$\{(\w+)", yaml.safe_dump(found)))


def test_caddy_accepts_its_files(tmp_path: Path) -> None:
    for path in (DEPLOY / "caddy/Caddyfile", DEPLOY / "compose/Caddyfile"):
        done = subprocess.run(
            [PROGRAMS / "caddy", "validate", "--adapter", "caddyfile", "--config", path],
            env={"HOME": str(tmp_path), "PORTAL_NAME": "a.example", "STORAGE_NAME": "b.example"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert "not formatted" not in done.stderr


def test_hadolint_finds_nothing_in_the_containerfile() -> None:
    done = subprocess.run([PROGRAMS / "hadolint", DEPLOY / "compose/Containerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_compose_file_is_whole() -> None:
    found = compose()
    for name, service in found["services"].items():
        jsonschema.validate(service, SERVICE)
        assert set(service.get("depends_on", ())) <= set(found["services"]), name
        named = [volume.partition(":")[0] for volume in service.get("volumes", ())]
        assert {volume for volume in named if not volume.startswith(".")} <= set(found["volumes"]), name
        assert {config["source"] for config in service.get("configs", ())} <= set(found["configs"]), name
        if "build" not in service:
            assert re.search(r":\d", service["image"]), f"{name} has no version"
    # Only the proxy can be reached from other machines.
    assert [name for name, service in found["services"].items() if "ports" in service] == ["caddy"]
    for name in ("setup", "portal", "worker"):
        service = found["services"][name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name


def test_no_server_of_the_nginx_example_logs_links() -> None:
    """Links for invitations and new passwords are secrets, also where somebody opens one by plain http."""
    servers = (DEPLOY / "nginx/slipway.conf").read_text().split("\nserver {")[1:]
    assert len(servers) == 3
    assert all("\n    access_log off;" in server for server in servers)


def test_the_operators_command_gets_the_settings_as_systemd_reads_them(tmp_path: Path) -> None:
    """A shell that sources the file runs what stands in it."""
    settings = tmp_path / "portal.env"
    ran = tmp_path / "ran"
    url = "postgresql://slipway@/slipway?host=/run/postgresql&connect_timeout=5"
    settings.write_text(
        f"# of the portal\n\nDATABASE_URL={url}\nPLATFORM_NAME='Kite Works'\nS3_SECRET_KEY=\"a$(touch {ran})b\"\n"
        f"S3_REGION=`touch {ran}`"
    )
    script = (DEPLOY / "bin/slipway-portal").read_text()
    for there, here in {
        "/etc/slipway/portal.env": str(settings),
        "/var/lib/slipway": str(tmp_path),
        "runuser -u slipway -- /opt/slipway/bin/slipway-portal": "env -0",
    }.items():
        assert there in script
        script = script.replace(there, here)

    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)

    found = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    assert found["DATABASE_URL"] == url
    assert found["PLATFORM_NAME"] == "Kite Works"
    assert found["S3_SECRET_KEY"] == f"a$(touch {ran})b"
    assert found["S3_REGION"] == f"`touch {ran}`"
    assert not ran.exists()
