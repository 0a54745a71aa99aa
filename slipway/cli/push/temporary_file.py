"""Files without a name, which the system deletes when the command ends for any reason."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import IO

from slipway.cli.command_error import CommandError
from slipway.cli.credentials import cache_folder
from slipway.cli.exit_codes import ExitCode
from slipway.client.durable import private_folder


def temporary_file() -> IO[bytes]:
    """A new file for an archive: in TMPDIR if that is set, otherwise in the cache folder, or where that cannot be
    written to, in the system's folder for temporary files. Raises CommandError."""
    folder = os.environ.get("TMPDIR")
    if folder:
        return _open_in(folder)
    # The cache folder first: /tmp may be memory, and a game is gigabytes.
    with contextlib.suppress(CommandError, OSError):
        return tempfile.TemporaryFile(dir=private_folder(cache_folder()))
    return _open_in(tempfile.gettempdir())


def no_space(error: OSError) -> CommandError:
    """The error for an archive that cannot be written to its temporary file."""
    return CommandError(
        f"The archive cannot be packed: {error.strerror or error}. It needs as much space as the packed game. Set "
        "TMPDIR to a folder with enough space.",
        ExitCode.UNEXPECTED,
    )


def _open_in(folder: str) -> IO[bytes]:
    try:
        return tempfile.TemporaryFile(dir=folder)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CommandError(
            f"TMPDIR is {folder}, which is not a folder. Set it to a folder, or unset it.", ExitCode.USAGE
        ) from error
    except OSError as error:
        raise no_space(error) from error
