"""Settings: one TOML file, the environment, and credential files, checked whole before anything runs.

The environment (`DIGESTD_SMTP__HOST`) wins over credential files, those over the TOML file. Every mistake is a
`ConfigError` whose lines name the file, the place, the key and, for an unknown key, the nearest known one;
values of secrets never show.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from digestd.config.kinds import nearest
from digestd.config.places import Places
from digestd.config.tables import (
    SHORTEST_PASSWORD,
    Disk,
    Ingest,
    Mail,
    Matching,
    Operator,
    Paths,
    Relay,
    Schedule,
    Smtp,
    Source,
    Web,
)
from digestd.config.toml_file import explain, problem, read_toml
from digestd.errors import ConfigError

SomeRelay = TypeVar("SomeRelay", bound=Relay)

PREFIX = "DIGESTD_"
_TOML = "_toml"  # by which `load` hands the file's values to its source
DEFAULT_FILES = (Path("config/digestd.toml"), Path("/etc/digestd/digestd.toml"))
CREDENTIALS = MappingProxyType(
    {"digestd_smtp_password": ("smtp", "password"), "digestd_operator_password": ("operator", "password")}
)


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
    disk: Disk = Disk()
    smtp: Smtp
    mail: Mail
    schedule: Schedule = Schedule()
    matching: Matching = Matching()
    web: Web = Web()
    operator: Operator = Operator()
    source: tuple[Source, ...] = ()
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
        for relay in (self.smtp, *self.smtp.more):
            if relay.password_file and relay.password.get_secret_value():
                raise ValueError("smtp.password and smtp.password_file are both set; keep one")
        return self

    @model_validator(mode="after")
    def _sources_once(self) -> Settings:
        names = [source.name for source in self.source]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two sources are called {twice}")
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
    return _with_passwords(settings)


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
        if isinstance(values["smtp"], dict) and isinstance(more := values["smtp"].get("more"), list):
            resolved["smtp"]["more"] = [absolute(relay, ("password_file",)) for relay in more]
    if "operator" in values:
        resolved["operator"] = absolute(values["operator"], ("password_file",))
    if isinstance(mail := values.get("mail"), dict) and isinstance(keys := mail.get("dkim"), list):
        resolved["mail"] = {**mail, "dkim": [absolute(key, ("key_file",)) for key in keys]}
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


def _with_passwords(settings: Settings) -> Settings:
    smtp = _with_password(settings.smtp)
    smtp = smtp.model_copy(update={"more": tuple(map(_with_password, smtp.more))})
    operator = settings.operator
    if operator.password_file is not None:
        secret = _secret(operator.password_file)
        if len(secret) < SHORTEST_PASSWORD:
            raise ConfigError(f"{operator.password_file}: a password of fewer than {SHORTEST_PASSWORD} characters")
        operator = operator.model_copy(update={"password": SecretStr(secret)})
    return settings.model_copy(update={"smtp": smtp, "operator": operator})


def _with_password(relay: SomeRelay) -> SomeRelay:
    if relay.password_file is None:
        return relay
    return relay.model_copy(update={"password": SecretStr(_secret(relay.password_file))})


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
