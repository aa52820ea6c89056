"""Settings: one TOML file, the environment, and credential files, checked whole before anything runs.

The environment (`DIGESTD_SMTP__HOST`) wins over credential files, those over the TOML file. Every mistake is a
`ConfigError` whose lines name the file, the place, the key and, for an unknown key, the nearest known one;
values of secrets never show.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import time
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from digestd.errors import ConfigError
from digestd.toml_file import explain, problem, read_toml
from digestd.toml_places import Places

PREFIX = "DIGESTD_"
_TOML = "_toml"  # by which `load` hands the file's values to its source
DEFAULT_FILES = (Path("config/digestd.toml"), Path("/etc/digestd/digestd.toml"))
CREDENTIALS = MappingProxyType({"digestd_smtp_password": ("smtp", "password")})
_DOTTED = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")  # the list-id of RFC 2919, without its phrase
_HOST = r"^[A-Za-z0-9._:-]+$"  # a name, or an address of either kind


def address(text: str) -> str:
    """Return a mail address as it may be mailed to.

    Raises ValueError with a sentence. Beyond email-validator it refuses what that lets pass: encoded-words,
    and local parts of more than 64 octets (RFC 5321 4.5.3.1.1).
    """
    try:
        checked = validate_email(text, check_deliverability=False, allow_smtputf8=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(f"{text!r} is not an e-mail address: {error}") from None
    if "=?" in checked.local_part or len(checked.local_part.encode()) > 64:
        raise ValueError(f"{text!r} is not an e-mail address that can be mailed to")
    return checked.normalized


def timezone(name: str) -> str:
    """Return an IANA time zone name as it is. Raises ValueError naming the nearest known zone."""
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # listing every zone costs 50 ms: only to say which was meant
        raise ValueError(f"{name!r} is not a time zone{nearest(name, available_timezones())}") from None
    return name


def clock(text: str) -> time:
    """Return an `HH:MM` hour of the day. Raises ValueError."""
    hour, colon, minute = text.partition(":")
    if colon and len(minute) == 2 and (hour + minute).isascii() and (hour + minute).isdigit():
        try:
            return time(int(hour), int(minute))
        except ValueError:
            pass
    raise ValueError(f"{text!r} is not an hour of the day such as 08:00")


def nearest(word: str, known: object) -> str:
    """Return `; did you mean x?` for the nearest of the known words, or nothing."""
    words = [str(entry) for entry in known] if isinstance(known, (set, frozenset, list, tuple, dict)) else []
    found = get_close_matches(word, words, n=1, cutoff=0.5)
    return f"; did you mean {found[0]}?" if found else ""


def _public_url(text: str) -> str:
    parts = urlsplit(text)
    sound = text.isascii() and text.isprintable() and " " not in text and len(text) <= 300
    if text and not (sound and parts.scheme in ("https", "http") and parts.hostname and "@" not in parts.netloc):
        raise ValueError(f"{text[:80]!r} is not an address such as https://papers.example.org")
    return text.rstrip("/")


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds a line break or another control character")
    return text


def _list_id(text: str) -> str:
    if text and not _DOTTED.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not a list's name such as papers.example.org")
    return text


def _clock_text(text: str) -> str:
    clock(text)
    return text


Address = Annotated[str, AfterValidator(address)]
Zone = Annotated[str, AfterValidator(timezone)]
ClockText = Annotated[str, AfterValidator(_clock_text)]
OneLine = Annotated[str, AfterValidator(_one_line)]


class Strict(BaseModel):
    """A table of a TOML file, in which an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Paths(Strict):
    """Where files lie; relative ones are relative to the configuration file."""

    inbox: Path = Path("var/inbox")
    archive: Path = Path("var/archive")
    quarantine: Path = Path("var/quarantine")
    database: Path = Path("var/digestd.db")
    templates: Path | None = None


class Ingest(Strict):
    """Limits of a digest file."""

    max_file_mb: int = Field(100, ge=1, le=10_000)
    settle_seconds: float = Field(1.0, ge=0, le=3600)


class Smtp(Strict):
    """The relay that takes the mail."""

    host: str = Field(min_length=1, pattern=_HOST)
    port: int | None = Field(None, ge=1, le=65535)
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    username: str = ""
    password: SecretStr = SecretStr("")
    password_file: Path | None = None
    connections: int = Field(4, ge=1, le=100)
    on_uncertain: Literal["resend", "hold"] = "resend"

    @property
    def port_in_use(self) -> int:
        """The port, or the usual one of the kind of TLS (RFC 8314, RFC 6409)."""
        return self.port or {"starttls": 587, "implicit": 465, "none": 25}[self.tls]


class Mail(Strict):
    """Who the mail comes from."""

    from_address: Address
    from_name: OneLine = "Papers for you"
    reply_to: Address | None = None
    list_id: Annotated[str, AfterValidator(_list_id)] = ""
    public_url: Annotated[str, AfterValidator(_public_url)] = ""


class Schedule(Strict):
    """When things happen, for those who did not say otherwise."""

    tick_seconds: float = Field(20.0, ge=0.1, le=3600)
    timezone: Zone = "UTC"
    at: ClockText = "08:00"


class Web(Strict):
    """Where `serve` answers the links of the mails; without a port it does not."""

    host: str = Field("127.0.0.1", min_length=1, pattern=_HOST)
    port: int | None = Field(None, ge=1, le=65535)


class Matching(Strict):
    """Caps for profiles that set none."""

    max_papers: int = Field(20, ge=1, le=200)
    min_score: float = Field(0.0, ge=0, allow_inf_nan=False)


class _FromToml(PydanticBaseSettingsSource):
    """The values of the configuration file, read by `load`."""

    def __init__(self, settings: type[BaseSettings], values: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self._values = dict(values)

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


class Settings(BaseSettings):
    """The whole configuration. Build it with `load`, which gives errors their place."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        nested_model_default_partial_update=True,
    )

    paths: Paths = Paths()
    ingest: Ingest = Ingest()
    smtp: Smtp
    mail: Mail
    schedule: Schedule = Schedule()
    matching: Matching = Matching()
    web: Web = Web()
    subscribers: Path = Path("subscribers.toml")

    @classmethod
    def settings_customise_sources(  # noqa: D102 - pydantic-settings' own hook
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        values = init_settings().pop(_TOML, None)
        if values is None:
            return (init_settings,)  # built by hand, as the demo does: nothing outside counts
        return EnvSettingsSource(settings_cls), _FromToml(settings_cls, _credentials()), _FromToml(settings_cls, values)

    @model_validator(mode="after")
    def _password_once(self) -> Settings:
        if self.smtp.password_file and self.smtp.password.get_secret_value():
            raise ValueError("smtp.password and smtp.password_file are both set; keep one")
        return self

    def dump(self) -> dict[str, Any]:
        """Return every resolved value as JSON-ready data, with secrets masked."""
        return self.model_dump(mode="json")


def find(given: Path | None, environment: Mapping[str, str]) -> Path:
    """Return the configuration file to read: the given one, `$DIGESTD_CONFIG`, or the first default there is.

    Raises ConfigError when there is none.
    """
    if given is None and environment.get("DIGESTD_CONFIG"):
        given = Path(environment["DIGESTD_CONFIG"])
    for candidate in (given,) if given else DEFAULT_FILES:
        if candidate.is_file():
            return candidate
    looked = str(given) if given else " and ".join(map(str, DEFAULT_FILES))
    raise ConfigError(
        f"no configuration at {looked}; write one with `digestd config sample > digestd.toml`"
        " and name it with --config or DIGESTD_CONFIG"
    )


def load(path: Path) -> Settings:
    """Read, merge and check the configuration.

    Raises ConfigError with one line for each mistake.
    """
    values, places = read_toml(path)
    _unknown_environment()
    given: dict[str, Any] = {_TOML: _beside(path.resolve().parent, values)}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise ConfigError("\n".join(_explained(path, places, mistake) for mistake in error.errors())) from None
    except SettingsError as error:
        raise ConfigError(f"a variable of the environment is no JSON, as a whole table must be: {error}") from None
    return _with_password(settings)


def _beside(folder: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Make the relative paths in the file relative to the folder it stands in."""

    def absolute(table: Any, keys: tuple[str, ...]) -> Any:
        if not isinstance(table, dict):
            return table
        return {
            key: os.path.normpath(folder / os.path.expanduser(value))  # noqa: PTH111 - that of pathlib may raise
            if key in keys and isinstance(value, str)
            else value
            for key, value in table.items()
        }

    paths = {name: str(default) for name, field in Paths.model_fields.items() if (default := field.default)}
    resolved: dict[str, Any] = absolute({"subscribers": "subscribers.toml", **values}, ("subscribers",))
    if isinstance(values.get("paths", {}), dict):
        resolved["paths"] = absolute({**paths, **values.get("paths", {})}, tuple(Paths.model_fields))
    if "smtp" in values:
        resolved["smtp"] = absolute(values["smtp"], ("password_file",))
    return resolved


def _credentials() -> dict[str, Any]:
    """Return the secrets that systemd (or anyone) put under $CREDENTIALS_DIRECTORY."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    found: dict[str, Any] = {}
    for name, (section, key) in CREDENTIALS.items() if folder else ():
        file = Path(str(folder)) / name
        if file.is_file():
            found.setdefault(section, {})[key] = _secret(file)
    return found


def _secret(file: Path) -> str:
    try:
        return file.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: the secret in it cannot be read: {error.__class__.__name__}") from None


def _with_password(settings: Settings) -> Settings:
    file = settings.smtp.password_file
    if file is None:
        return settings
    smtp = settings.smtp.model_copy(update={"password": SecretStr(_secret(file))})
    return settings.model_copy(update={"smtp": smtp})


def _unknown_environment() -> None:
    """Refuse a misspelt variable, which pydantic-settings would pass over in silence."""
    for name in os.environ:
        head = name.removeprefix(PREFIX).split("__")[0].lower()
        if name.startswith(PREFIX) and name != "DIGESTD_CONFIG" and head not in Settings.model_fields:
            guess = nearest(head, Settings.model_fields)
            raise ConfigError(f"the environment variable {name} names no known key{guess}")


def _explained(path: Path, places: Places, mistake: Any) -> str:
    """Say a finding about the settings, also when not the file but a variable of the environment is wrong."""
    variable = PREFIX + "__".join(map(str, mistake["loc"])).upper()
    if variable in {name.upper() for name in os.environ}:
        return f"the environment variable {variable}: {problem(mistake, Settings)}"
    return explain(path, places, mistake, Settings)
