"""Every setting: its default, what it takes, and the plain refusal of what it does not."""

from __future__ import annotations

import multiprocessing
import re
import stat
from pathlib import Path

import pytest

from app.config.environment import parse_size
from app.config.settings import GIB, MIB, Settings, SettingsError, load_settings

STORAGE = {"S3_ENDPOINT": "http://127.0.0.1:9000", "S3_ACCESS_KEY": "key", "S3_SECRET_KEY": "hidden-secret"}


@pytest.fixture
def load(tmp_path: Path) -> Loader:
    return Loader(tmp_path / "instance")


class Loader:
    """Settings from these variables alone, in an instance folder of the test's own."""

    def __init__(self, instance: Path) -> None:
        self.instance = instance

    def __call__(self, **variables: str) -> Settings:
        return load_settings({"SLIPWAY_INSTANCE": str(self.instance)} | variables)

    def refusal(self, **variables: str) -> str:
        """The message with which these variables are refused."""
        with pytest.raises(SettingsError) as refused:
            self(**variables)
        return str(refused.value)


def test_nothing_has_to_be_set(load: Loader) -> None:
    settings = load()

    assert settings.instance == load.instance
    assert settings.database_url == f"sqlite:///{load.instance}/slipway.db"
    assert settings.storage is None
    assert (settings.host, settings.port, settings.https) == ("127.0.0.1", 8000, False)
    assert (settings.api_rate, settings.upload_rate) == ("100 per minute", "10 per hour")
    assert settings.max_archive_bytes == 20 * GIB
    assert settings.asset_quota_bytes == 2 * GIB
    assert (settings.trusted_proxies, settings.trusted_hosts) == (0, ())
    assert settings.redis_url is settings.base_url is None
    assert settings.work_in_web
    assert re.fullmatch("slipway_[0-9a-f]{8}", settings.cookie_name)


def test_processes_with_one_secret_have_one_cookie_and_installations_do_not(load: Loader) -> None:
    """Behind a proxy the processes of one installation listen on different ports. Cookies ignore the port."""
    names = {load(SECRET_KEY="one secret of many characters", PORT=port).cookie_name for port in ("8000", "8001")}

    assert len(names) == 1
    assert load(SECRET_KEY="another secret of many characters").cookie_name not in names


def test_an_empty_variable_is_as_good_as_none(load: Loader) -> None:
    variables = (
        "PORT",
        "DATABASE_URL",
        "S3_ENDPOINT",
        "REDIS_URL",
        "SLIPWAY_BASE_URL",
        "SLIPWAY_API_RATE",
        "SECRET_KEY",
    )
    empty = load(**dict.fromkeys(variables, "  "))

    assert empty == load()


def test_sizes(subtests: pytest.Subtests) -> None:
    for text, size in {
        "0": 0,
        "1": 1,
        "9007199254740993": 9007199254740993,
        "10K": 10240,
        "500M": 500 * MIB,
        "20G": 20 * GIB,
        "20 GiB": 20 * GIB,
        "20gb": 20 * GIB,
        "1.5G": 1536 * MIB,
        "2T": 2048 * GIB,
        " 7 ": 7,
    }.items():
        with subtests.test(text=text):
            assert parse_size(text) == size
    for text in ("", "G", "-1", "1,5G", "1e9", "20P", "20 G B", "0x10", "G20", "infinity", "9" * 400):
        with subtests.test(text=text), pytest.raises(ValueError, match="is not a size"):
            parse_size(text)


# Variable, values that are refused, and what the message must say beside the variable's name.
REFUSED: list[tuple[str, list[str], str]] = [
    ("PORT", ["0", "65536", "http", "80.5", "-1", "²"], "1 to 65,535"),
    ("TRUSTED_PROXIES", ["-1", "yes", "1.0"], "whole number of at least 0"),
    ("SLIPWAY_STREAMS", ["many", "-5"], "whole number of at least 0"),
    ("SLIPWAY_WAITING_POLLS", ["1.5"], "whole number of at least 0"),
    ("SLIPWAY_RAW_UPLOADS", ["0", "x"], "whole number of at least 1"),
    ("SLIPWAY_HEADER_TIMEOUT", ["0", "-1", "soon"], "seconds"),
    ("SLIPWAY_MIN_BYTES_PER_SECOND", ["0", "fast", "-1"], "size"),
    ("SLIPWAY_CONNECTIONS", ["0", "63", "many"], "at least 64"),
    ("SLIPWAY_BODY_TIMEOUT", ["0", "-1", "soon", "nan", "inf"], "seconds"),
    ("SLIPWAY_DRAIN_SECONDS", ["-1", "1h", "nan", "inf", "1e400"], "seconds"),
    ("ASSET_DERIVE_WAIT", ["-0.1", "x"], "seconds"),
    ("SLIPWAY_WORK_IN_WEB", ["maybe", "2"], "on or off"),
    ("MAX_ARCHIVE_BYTES", ["big", "20X", "-1", "0"], "such as 20G"),
    ("MAX_UNPACKED_BYTES", ["1.2.3", "0"], "such as 20G"),
    ("ASSET_QUOTA_BYTES", ["lots"], "such as 20G"),
    (
        "SLIPWAY_BASE_URL",
        ["slipway.example", "ftp://slipway.example", "https://", "http://[::1", "https://a.example/x"],
        "address",
    ),
    (
        "S3_ENDPOINT",
        ["s3.example", "http://", "http://a/b", "http://[::1", "http://a:99999", "http://u:p@a", "http://a?b"],
        "address",
    ),
    ("S3_PUBLIC_ENDPOINT", ["//s3.example", "https://s3.example/bucket"], "address"),
    ("S3_AGENT_ENDPOINT", ["s3"], "address"),
    ("S3_BUCKET", ["ab", "Upper", "under_score", "x" * 64, "-a-", "a..b"], "bucket"),
    (
        "DATABASE_URL",
        ["mysql://localhost/x", "slipway.db", "sqlite://", "sqlite:///:memory:", "postgresql", "://"],
        "database",
    ),
    ("REDIS_URL", ["localhost:6379", "http://localhost", "redis"], "redis://"),
    ("ASSET_BASE_URL", ["cdn", "ftp://cdn.example", "https://cdn.example?x=1"], "address"),
    ("API_CORS_ORIGINS", ["*", "studio.example", "https://studio.example/path"], "origin"),
    ("SLIPWAY_COOKIE_NAME", ["two words", "a;b", "a=b", "é"], "cookie"),
]
RATES = (
    *(
        "API",
        "UPLOAD",
        "PARTS",
        "SIGN_IN",
        "SIGN_IN_ADDRESS",
        "SIGN_IN_ACCOUNT",
        "PRESIGN",
        "CONFIRM",
        "NEW_GAME",
        "COMPONENT",
        "COMPONENT_BATCH",
        "LIST",
    ),
)


def test_what_cannot_be_used_is_refused_naming_variable_and_remedy(load: Loader, subtests: pytest.Subtests) -> None:
    for name, values, said in REFUSED:
        for value in values:
            with subtests.test(name=name, value=value):
                message = load.refusal(**STORAGE | {name: value})
                assert name in message
                assert said in message


def test_rates_are_one_number_per_time(load: Loader, subtests: pytest.Subtests) -> None:
    for name in RATES:
        for value in (
            "often",
            "100",
            "per minute",
            "0 per minute",
            "100 per fortnight",
            "10/minute; 100/hour",
            "-1/hour",
        ):
            with subtests.test(name=name, value=value):
                message = load.refusal(**{f"SLIPWAY_{name}_RATE": value})
                assert f"SLIPWAY_{name}_RATE" in message
                assert "100 per minute" in message
    for value in ("1 per second", "10/hour", "5 per 2 minutes", "1000 per day"):
        with subtests.test(value=value):
            assert load(SLIPWAY_API_RATE=value).api_rate == value


def test_every_rate_there_is_is_tried_above() -> None:
    assert {name for name in Settings.model_fields if name.endswith("_rate")} == {
        f"{name.lower()}_rate" for name in RATES
    }


def test_storage_needs_its_credentials(load: Loader) -> None:
    endpoint = {"S3_ENDPOINT": "https://s3.example"}

    message = load.refusal(**endpoint)
    assert "S3_ACCESS_KEY and S3_SECRET_KEY" in message
    assert "S3_SECRET_KEY" in load.refusal(**endpoint, S3_ACCESS_KEY="key")
    assert "S3_ACCESS_KEY" in load.refusal(**endpoint, S3_SECRET_KEY="secret")


def test_the_upload_identity_has_both_keys_or_neither(load: Loader) -> None:
    plain = load(**STORAGE).storage_settings
    assert plain.upload_signer is plain

    keys = {"S3_UPLOAD_ACCESS_KEY": "upload", "S3_UPLOAD_SECRET_KEY": "hidden-upload-secret"}
    both = load(**STORAGE, **keys).storage_settings
    assert (both.upload_signer.access_key, both.upload_signer.secret_key) == ("upload", "hidden-upload-secret")
    assert (both.upload_signer.bucket, both.upload_signer.endpoint) == (both.bucket, both.endpoint)
    assert (both.access_key, both.secret_key) == ("key", "hidden-secret")
    for name, other in (tuple(keys), tuple(reversed(keys))):
        message = load.refusal(**STORAGE, **{name: keys[name]})
        assert f"{name} is set but {other} is not" in message
        assert "hidden" not in message


def test_storage_has_three_addresses_each_by_default_the_one_before(load: Loader) -> None:
    settings = load(**STORAGE).storage_settings
    assert settings.public_endpoint == settings.agent_endpoint == settings.endpoint == "http://127.0.0.1:9000"
    assert (settings.bucket, settings.region) == ("slipway", "us-east-1")

    settings = load(**STORAGE, S3_PUBLIC_ENDPOINT="https://s3.example/").storage_settings
    assert (settings.public_endpoint, settings.agent_endpoint) == ("https://s3.example", "https://s3.example")

    settings = load(**STORAGE, S3_AGENT_ENDPOINT="http://10.0.0.5:9000").storage_settings
    assert (settings.public_endpoint, settings.agent_endpoint) == ("http://127.0.0.1:9000", "http://10.0.0.5:9000")


def test_an_app_without_storage_says_what_to_set(load: Loader) -> None:
    with pytest.raises(SettingsError, match="S3_ENDPOINT is not set"):
        _ = load().storage_settings


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]", "192.168.1.5", "slipway.lan"])
def test_a_loopback_bucket_is_refused_when_the_app_listens_beyond_loopback(load: Loader, host: str) -> None:
    message = load.refusal(**STORAGE, SLIPWAY_HOST=host)

    assert f"SLIPWAY_HOST={host}" in message
    assert "S3_PUBLIC_ENDPOINT" in message
    for endpoint in ("http://localhost:9000", "http://[::1]:9000", "http://127.1.2.3:9000", "http://s3.localhost"):
        assert "S3_PUBLIC_ENDPOINT" in load.refusal(**STORAGE, SLIPWAY_HOST=host, S3_PUBLIC_ENDPOINT=endpoint)
    assert load(**STORAGE, SLIPWAY_HOST=host, S3_PUBLIC_ENDPOINT="http://192.168.1.5:9000").host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9"])
def test_a_loopback_bucket_is_fine_for_an_app_on_loopback(load: Loader, host: str) -> None:
    assert load(**STORAGE, SLIPWAY_HOST=host).storage is not None


def test_plain_http_storage_is_refused_under_https(load: Loader) -> None:
    https = STORAGE | {"SLIPWAY_BASE_URL": "https://slipway.example"}

    assert "S3_PUBLIC_ENDPOINT=http://127.0.0.1:9000" in load.refusal(**https)
    assert "plain http" in load.refusal(**https, S3_PUBLIC_ENDPOINT="http://s3.example")
    settings = load(**https, S3_PUBLIC_ENDPOINT="https://s3.example")
    assert settings.https
    assert settings.storage_settings.endpoint == "http://127.0.0.1:9000"


def embed(instance: Path) -> None:
    """What `make run` leaves in its instance folder."""
    (instance / "storage").mkdir(parents=True)
    (instance / "storage" / "port").write_text("9123\n")
    (instance / "storage" / "credentials").write_text('{"accessKey": "kept", "secretKey": "kept-secret"}')


def test_the_embedded_storage_of_the_instance_is_found(load: Loader) -> None:
    embed(load.instance)

    settings = load().storage_settings

    assert (settings.endpoint, settings.access_key) == ("http://127.0.0.1:9123", "kept")
    assert settings.public_endpoint == settings.agent_endpoint == settings.endpoint


def test_the_embedded_storage_is_checked_like_any_other(load: Loader) -> None:
    embed(load.instance)

    assert "S3_PUBLIC_ENDPOINT" in load.refusal(SLIPWAY_HOST="0.0.0.0")
    assert "plain http" in load.refusal(SLIPWAY_BASE_URL="https://slipway.example")
    beyond = load(SLIPWAY_HOST="0.0.0.0", S3_PUBLIC_ENDPOINT="http://192.168.1.5:9123").storage_settings
    assert beyond.endpoint == "http://127.0.0.1:9123"
    assert beyond.agent_endpoint == "http://192.168.1.5:9123"


def test_postgres_addresses_get_the_driver_that_is_installed(load: Loader) -> None:
    for written in ("postgres://u:p@db/slipway", "postgresql://u:p@db/slipway", "postgresql+psycopg://u:p@db/slipway"):
        assert load(DATABASE_URL=written).database_url == "postgresql+psycopg://u:p@db/slipway"


def test_no_message_shows_a_secret(load: Loader, subtests: pytest.Subtests) -> None:
    for variables in [
        {"DATABASE_URL": "mysql://slipway:hidden-secret@db/slipway"},
        {"REDIS_URL": "http://:hidden-secret@cache"},
        STORAGE | {"S3_ENDPOINT": "http://key:hidden-secret@s3.example"},
        STORAGE | {"S3_BUCKET": "No"},
        STORAGE | {"SLIPWAY_HOST": "0.0.0.0"},
    ]:
        with subtests.test(variables=variables):
            assert "hidden-secret" not in load.refusal(**variables)


def test_the_instances_own_secret_is_made_once_and_kept_from_others(load: Loader) -> None:
    first = load().secret_key

    assert len(first) >= 48
    assert load().secret_key == first
    assert stat.S_IMODE((load.instance / "secret_key").stat().st_mode) == 0o600
    assert stat.S_IMODE(load.instance.stat().st_mode) == 0o700
    assert load(SECRET_KEY="given").secret_key == "given"


def _secret_of(instance: str) -> str:
    return load_settings({"SLIPWAY_INSTANCE": instance}).secret_key


def test_processes_that_start_together_agree_on_the_secret(load: Loader) -> None:
    with multiprocessing.get_context("fork").Pool(8) as pool:
        secrets = pool.map(_secret_of, [str(load.instance)] * 32, chunksize=1)

    assert len(set(secrets)) == 1
    assert sorted(path.name for path in load.instance.iterdir()) == ["secret_key"]


def test_an_empty_secret_file_is_refused_and_not_used(load: Loader) -> None:
    load.instance.mkdir()
    (load.instance / "secret_key").touch()

    assert "secret_key" in load.refusal()


def test_an_instance_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    message = Loader(tmp_path / "file" / "instance").refusal()

    assert "SLIPWAY_INSTANCE" in message
    assert str(tmp_path / "file" / "instance") in message
