"""`flask storage`: the embedded storage as a service, and preparing a bucket of your own."""

from __future__ import annotations

from contextlib import closing

import click
from flask.cli import AppGroup

from app.config.settings import settings
from app.process.service import EndRequests, notify_ready
from app.runtime.plain_command import PlainCommand
from app.runtime.supervisor.instance_folder import Instance, InstanceTaken
from app.storage.bucket_setup import make_bucket, set_cors
from app.storage.cors import page_origins
from app.storage.embedded_server import EmbeddedStorage, EmbeddedStorageError

storage_group = AppGroup("storage", help="Storage for builds and images.")


@storage_group.command("run", cls=PlainCommand)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    envvar="SLIPWAY_STORAGE_PORT",
    help="Where it listens on loopback; default: SLIPWAY_STORAGE_PORT, otherwise the last one used.",
)
def storage_run(port: int | None) -> None:
    """Run the embedded storage of the instance folder until a signal ends it. Not together with `make run`, which has
    its own."""
    own, requests = settings(), EndRequests()
    try:
        with closing(Instance(own.instance)) as instance:
            storage = EmbeddedStorage(
                instance.storage, port=port, pass_fds=(instance.lock_fd,), origins=page_origins(own)
            )
            access = storage.start()
            try:
                click.echo(f"The embedded storage answers at {access.endpoint}.")
                notify_ready()
                process = storage.process
                assert process is not None
                if not requests.wait(lambda: process.poll() is None):
                    raise EmbeddedStorageError(
                        f"The embedded storage ended with code {process.returncode}. Its log is {storage.log}."
                    )
            finally:
                storage.stop()
    except (EmbeddedStorageError, InstanceTaken) as error:
        raise click.ClickException(str(error)) from None


@storage_group.command("prepare", cls=PlainCommand)
def storage_prepare() -> None:
    """Make the bucket if it is missing, and set its CORS rule. May be repeated."""
    own = settings()
    states = []
    for name, result in (("bucket", make_bucket(own.storage_settings)), ("CORS", set_cors(own))):
        click.echo(f"{result.state:<8} {name}: {result.text}")
        states.append(result.state)
    if "failed" in states:
        raise SystemExit(1)
