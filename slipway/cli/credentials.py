"""The platform's address and the API key. The key comes from SLIPWAY_KEY, a file that only its owner can read, or a
prompt. It is never a command-line argument, because every user of the machine can read those."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from urllib.parse import urlsplit

from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.client.durable import read_json, write_json

KEY_VARIABLE = "SLIPWAY_KEY"
URL_VARIABLE = "SLIPWAY_URL"


def config_folder() -> Path:
    """The folder for credentials and the state of interrupted uploads (XDG Base Directory)."""
    return _xdg("XDG_CONFIG_HOME", ".config")


def cache_folder() -> Path:
    """The folder where directories are packed, unless TMPDIR is set (XDG Base Directory)."""
    return _xdg("XDG_CACHE_HOME", ".cache")


def _xdg(variable: str, default: str) -> Path:
    set_to = Path(os.environ.get(variable, ""))
    # The specification requires that relative paths in these variables are ignored.
    if set_to.is_absolute():
        return set_to / "slipway"
    try:
        return Path.home() / default / "slipway"
    except RuntimeError as error:
        raise CommandError(
            f"This user has no home folder. Set HOME, or set {variable} to a folder.", ExitCode.UNEXPECTED, "no_home"
        ) from error


def credentials_file() -> Path:
    return config_folder() / "credentials.json"


def parse_platform_url(text: str) -> str:
    """The platform's address without a trailing slash. Raises CommandError."""
    parts = urlsplit(text.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CommandError(f"{text!r} is not an address. Use one like https://portal.example.", ExitCode.USAGE)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise CommandError("Use the platform's address without user, query or fragment.", ExitCode.USAGE)
    return text.strip().rstrip("/")


def parse_key(text: str, source: str) -> str:
    """The key, which becomes a header value: other characters than visible ASCII would break the request. Raises
    CommandError."""
    key = text.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise CommandError(
            f"{source} is not an API key: expected one line that starts with pp_. Create a key in the dashboard.",
            ExitCode.UNAUTHORIZED,
        )
    return key


def chosen_url(given: str | None) -> str:
    """`--url`, SLIPWAY_URL, or the platform of the last `slipway login`. Raises CommandError."""
    text = given or os.environ.get(URL_VARIABLE) or str(_read_credentials().get("url") or "")
    if not text:
        raise CommandError(
            "No platform address is set. Run `slipway login`, pass --url or set SLIPWAY_URL.", ExitCode.USAGE
        )
    return parse_platform_url(text)


def find_key(url: str) -> str | None:
    """The key for this platform, from SLIPWAY_KEY or the file, or None. A stored key is only sent to the address it
    was stored for."""
    if os.environ.get(KEY_VARIABLE):
        return parse_key(os.environ[KEY_VARIABLE], KEY_VARIABLE)
    keys = _read_credentials().get("keys")
    stored = keys.get(url) if isinstance(keys, dict) else None
    return parse_key(str(stored), str(credentials_file())) if stored else None


def store_key(url: str, key: str) -> Path:
    """Store the key for this platform and make the platform the default. Returns the file's path."""
    found = _read_credentials()
    keys = found.get("keys")
    path = credentials_file()
    try:
        write_json(path, {"url": url, "keys": (keys if isinstance(keys, dict) else {}) | {url: key}})
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.", ExitCode.UNEXPECTED) from error
    return path


def remove_key(url: str) -> bool:
    """Remove the stored key for this platform; without a key that is left, the file. Returns whether there was one.
    Raises CommandError."""
    found = _read_credentials()
    keys = found.get("keys")
    if not isinstance(keys, dict) or url not in keys:
        return False
    left = {address: key for address, key in keys.items() if address != url}
    path = credentials_file()
    try:
        if left:
            write_json(path, {"url": found.get("url"), "keys": left})
        else:
            path.unlink()
    except OSError as error:
        raise CommandError(f"{path} cannot be changed: {error.strerror}.", ExitCode.UNEXPECTED) from error
    return True


def _read_credentials() -> dict[str, object]:
    path = credentials_file()
    try:
        if _is_readable_by_others(path.stat()):
            raise CommandError(
                f"{path} can be read by other users, so the key in it is not used. Run `chmod 600 {path}`, and roll "
                "the key if somebody may have seen it.",
                ExitCode.UNAUTHORIZED,
            )
        return dict(read_json(path) or {})
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.", ExitCode.UNAUTHORIZED) from error


def _is_readable_by_others(found: os.stat_result) -> bool:
    """Windows has neither these bits nor user ids: there, a profile's folder is private."""
    if not hasattr(os, "getuid"):
        return False
    return bool(stat.S_IMODE(found.st_mode) & 0o077) or found.st_uid != os.getuid()
