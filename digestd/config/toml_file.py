"""A TOML file read whole with its places, and what a model finds wrong in it as a sentence.

Every mistake is said in the words of the file: the key, where it stands, what was expected there, and for an
unknown key the nearest known one. Values never show: they may be secrets.
"""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from digestd.config.places import Path as Location
from digestd.config.places import Places
from digestd.errors import ConfigError

MAX_BYTES = 64_000_000  # a million subscribers in one file are about 50 MB
# Where pydantic's own words are those of Python, not of a file.
_EXPECTED = MappingProxyType(
    {
        "path_type": "expected a path, in quotes",
        "string_type": "expected text, in quotes",
        "list_type": "expected a list, in brackets",
        "dict_type": "expected a table",
        "model_type": "expected a table",
        "model_attributes_type": "expected a table",
        "int_parsing": "expected a whole number",
        "int_from_float": "expected a whole number",
        "string_too_short": "must not be empty",
        "too_short": "must not be empty",
        "string_pattern_mismatch": "not a host's name or address",
    }
)


def read_toml(path: Path) -> tuple[dict[str, Any], Places]:
    """Return a TOML file's values and their places.

    Raises ConfigError when it cannot be read or is not TOML.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_BYTES // 1_000_000} MB; split it into a folder of files")
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        return tomllib.loads(text), Places(text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text at byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None


def explain(path: Path, places: Places, mistake: Any, model: type[BaseModel], prefix: Location = ()) -> str:
    """Say one of pydantic's findings in one line: file, place, key, what is wrong, the nearest known key.

    `prefix` is where in the file the `model` stands.
    """
    location = prefix + tuple(mistake["loc"])
    unknown = mistake["type"] == "extra_forbidden"
    place = (None if unknown else places.value(location)) or places.key(location)
    said = problem(mistake, model)
    return f"{path}, {place}: {said}" if place else f"{path}: {said}"


def problem(mistake: Any, model: type[BaseModel]) -> str:
    """Say one of pydantic's findings without its place."""
    inside = tuple(mistake["loc"])
    key = ".".join(map(str, inside))
    if mistake["type"] == "extra_forbidden":
        guess = get_close_matches(str(inside[-1]), _fields(model, inside[:-1]), n=1, cutoff=0.5)
        meant = ".".join([*map(str, inside[:-1]), *guess])
        return f"{key} is not a known key{f'; did you mean {meant}?' if guess else ''}"
    if mistake["type"] == "missing":
        return f"{key} is missing; it has no default"
    said = _EXPECTED.get(mistake["type"]) or str(mistake["msg"]).removeprefix("Value error, ")
    return f"{f'{key}: ' if key else ''}{said[:1].lower() + said[1:]}"


def _fields(model: Any, location: Location) -> list[str]:
    """Return the keys that a table within a model knows: none where it is a list or no table."""
    for name in location:
        field = getattr(model, "model_fields", {}).get(name)
        model = field.annotation if field else None
    return list(getattr(model, "model_fields", {}))
