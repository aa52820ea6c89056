"""A folder of bad configurations, each with the sentences that are expected of it; FILE stands for its path."""

from __future__ import annotations

from pathlib import Path

import pytest

from digestd.config import load
from digestd.errors import ConfigError

BAD = sorted(Path(__file__).with_name("bad").glob("*.toml"))


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DIGESTD_CONFIG", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_configuration_is_refused_in_the_expected_sentences(path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load(path)
    said = str(raised.value)
    assert said.replace(str(path), "FILE").splitlines() == path.with_suffix(".expected").read_text().splitlines()
    assert raised.value.exit_status == 78
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "DIGESTD_SMTP__PORT",
            "many",
            "the environment variable DIGESTD_SMTP__PORT: smtp.port: expected a whole number",
        ),
        (
            "digestd_smtp__port",
            "many",
            "the environment variable DIGESTD_SMTP__PORT: smtp.port: expected a whole number",
        ),
        (
            "DIGESTD_SMTP__HOTS",
            "x",
            "the environment variable DIGESTD_SMTP__HOTS: smtp.hots is not a known key; did you mean smtp.host?",
        ),
        ("DIGESTD_SMTP_HOST", "x", "the environment variable DIGESTD_SMTP_HOST names no known key; did you mean smtp?"),
        ("DIGESTD_XYZZY", "x", "the environment variable DIGESTD_XYZZY names no known key"),
        (
            "DIGESTD_SMTP",
            "hunter2",
            "a variable of the environment is no JSON, as a whole table must be:"
            ' error parsing value for field "smtp" from source "EnvSettingsSource"',
        ),
    ],
)
def test_bad_environment_is_refused_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    path = tmp_path / "digestd.toml"
    path.write_text('[smtp]\nhost = "relay"\n[mail]\nfrom_address = "a@example.org"\n')
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as raised:
        load(path)
    assert str(raised.value) == sentence
