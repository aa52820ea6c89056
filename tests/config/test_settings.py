"""The configuration: every mistake is a sentence with its place, and secrets show nowhere."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestd.config import Mail, Settings, Smtp, address, clock, find, load, timezone
from digestd.config.places import Places
from digestd.errors import ConfigError
from digestd.resources import mail_templates, shipped
from digestd.service.build import signers

GOOD = '[smtp]\nhost = "relay"\n[mail]\nfrom_address = "a@example.org"\n'


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DIGESTD_CONFIG", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "digestd.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x", "not valid TOML: Expected '=' after a key in a key/value pair (at end of document)"),
        ('[mail]\nfrom_address = "a@example.org"', "smtp is missing; it has no default"),
        ('[smtp]\n[mail]\nfrom_address = "a@example.org"', "line 1, column 1: smtp.host is missing; it has no default"),
        (GOOD + '[smpt]\nhost = "x"', "line 5, column 1: smpt is not a known key; did you mean smtp?"),
        ('[smtp]\nhots = "x"\nhost = "x"\n' + GOOD[22:], "line 2, column 1: smtp.hots is not a known key; did you mean smtp.host?"),  # noqa: E501
        (GOOD + "[web]\nport = 99999", "line 6, column 8: web.port: input should be less than or equal to 65535"),
        (GOOD + '[schedule]\nat = "25:00"', "line 6, column 6: schedule.at: '25:00' is not an hour of the day such as 08:00"),  # noqa: E501
        (GOOD + '[schedule]\ntimezone = "Europe/Berln"', "did you mean Europe/Berlin?"),
        (GOOD + '[schedule]\ntimezone = "../../etc/passwd"', "is not a time zone"),
        (GOOD.replace("a@example.org", "nobody"), "line 4, column 16: mail.from_address: 'nobody' is not an e-mail address"),  # noqa: E501
        (GOOD + 'public_url = "javascript:alert(1)"', "is not an address such as https://papers.example.org"),
        (GOOD + 'public_url = "https://a@evil"', "is not an address such as"),
        (GOOD.replace('"relay"', '"relay"\ntls = "ssl"'), "line 3, column 7: smtp.tls: input should be 'starttls', 'implicit' or 'none'"),  # noqa: E501
    ],
)  # fmt: skip
def test_load_mistake_is_a_sentence_with_its_place(tmp_path: Path, text: str, sentence: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load(path)
    assert sentence in str(raised.value)
    assert str(raised.value).startswith(str(path))
    assert raised.value.exit_status == 78


def test_load_two_mistakes_are_two_lines(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load(written(tmp_path, GOOD + '[schedule]\nat = "x"\n[matching]\nmax_papers = 0\n'))
    assert len(str(raised.value).splitlines()) == 2


def test_load_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load(written(tmp_path, 'subscribers = "people"\n' + GOOD + '[paths]\ninbox = "../in"\n'))
    assert settings.paths.inbox == tmp_path.parent / "in"
    assert settings.paths.database == tmp_path / "var" / "digestd.db"
    assert settings.subscribers == tmp_path / "people"


def test_load_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGESTD_SMTP__HOST", "other")
    monkeypatch.setenv("DIGESTD_SMTP__CONNECTIONS", "9")
    settings = load(written(tmp_path, GOOD))
    assert (settings.smtp.host, settings.smtp.connections, settings.mail.from_address) == ("other", 9, "a@example.org")
    monkeypatch.setenv("DIGESTD_SMPT__HOST", "other")
    with pytest.raises(ConfigError, match=r"DIGESTD_SMPT__HOST names no known key; did you mean smtp\?"):
        load(written(tmp_path, GOOD))


@pytest.mark.parametrize("way", ["file", "credential", "environment"])
def test_load_password_comes_in_three_ways_and_shows_in_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    (tmp_path / "digestd_smtp_password").write_text("s3cret\n")
    text = GOOD
    if way == "file":
        text = GOOD.replace('"relay"', '"relay"\npassword_file = "digestd_smtp_password"')
    elif way == "credential":
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    else:
        monkeypatch.setenv("DIGESTD_SMTP__PASSWORD", "s3cret")
    settings = load(written(tmp_path, text))
    assert settings.smtp.password.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings) + str(settings.dump())


def test_load_secret_in_a_mistake_does_not_show(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load(written(tmp_path, GOOD.replace('"relay"', '"relay"\npassword = ["s3cret"]')))
    assert "s3cret" not in str(raised.value)
    with pytest.raises(ConfigError, match="both set"):
        load(written(tmp_path, GOOD.replace('"relay"', '"relay"\npassword = "x"\npassword_file = "y"')))
    with pytest.raises(ConfigError, match="the secret in it cannot be read"):
        load(written(tmp_path, GOOD.replace('"relay"', '"relay"\npassword_file = "missing"')))


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xff", "not UTF-8 text at byte 0"), (b"a = " + b"[" * 100_000, "nested too deeply|not valid TOML")],
)
def test_load_file_that_is_no_text(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "digestd.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        load(path)


def test_find_goes_by_option_environment_and_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, GOOD)
    assert find(path, {}) == path
    assert find(None, {"DIGESTD_CONFIG": str(path)}) == path
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="digestd config sample"):
        find(None, {})
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "digestd.toml").write_text(GOOD)
    assert find(None, {}) == Path("config/digestd.toml")


def test_smtp_port_follows_the_kind_of_tls(tmp_path: Path) -> None:
    for tls, port in (("starttls", 587), ("implicit", 465), ("none", 25)):
        assert load(written(tmp_path, GOOD.replace('"relay"', f'"relay"\ntls = "{tls}"'))).smtp.port_in_use == port


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "a@b\nBcc: x@y.org",
        '"x@evil"@b.org',
        "=?utf-8?q?x=40evil?=@b.org",
        f"{'a' * 65}@b.org",
        "a@-b.org",
        "ü@b.org",
    ],
)
def test_address_that_cannot_be_mailed_to_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="e-mail address"):
        address(text)


def test_address_domain_of_any_script_is_taken() -> None:
    assert address("a@BÜCHER.example") == "a@bücher.example"


@pytest.mark.parametrize("text", ["", "8", "08:0", "24:00", "-1:00", "08:60", "٠٨:٠٠", "08:00:00"])
def test_clock_that_is_no_hour_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an hour"):
        clock(text)


def test_clock_and_timezone_that_are_sound() -> None:
    assert (clock("7:05"), timezone("Asia/Kolkata")) == (time(7, 5), "Asia/Kolkata")


def test_places_of_keys_values_and_characters() -> None:
    text = '# c\na.b = "x\\ty" # d\n[[t]]\n"k k" = [1, \'two\', {q = """\nab"""}]\n[[t]]\nz = 1\n[t.u]\nv = true\n'
    places = Places(text)
    assert str(places.key(("a", "b"))) == "line 2, column 1"
    assert str(places.value(("a", "b"))) == "line 2, column 7"
    assert str(places.inside(("a", "b"), 3)) == "line 2, column 11"  # behind the escape
    assert str(places.value(("t", 0, "k k", 1))) == "line 4, column 13"
    assert str(places.inside(("t", 0, "k k", 1), 2)) == "line 4, column 15"
    assert str(places.inside(("t", 0, "k k", 2, "q"), 2)) == "line 5, column 2"
    assert str(places.value(("t", 1, "u", "v"))) == "line 9, column 5"
    assert str(places.key(("t", 1, "nothing"))) == "line 6, column 1"
    assert places.value(("nothing",)) is None
    assert places.inside(("nothing",), 1) is None
    assert places.key(("nothing",)) is None


@given(st.text(st.sampled_from("[]{}=\"'#,.ab1 \n\\")))
def test_places_of_anything_never_fails(text: str) -> None:
    assert Places(text).value(("no such key",)) is None


def test_templates_of_the_operator_take_the_place_of_ours_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "footer.html.j2").write_text("<p>mine</p>")
    templates = mail_templates(tmp_path)
    assert templates["mail/footer.html.j2"] == "<p>mine</p>"
    assert templates.keys() == mail_templates(None).keys()
    (tmp_path / "mail" / "foter.html.j2").write_text("x")
    with pytest.raises(ConfigError, match="no template of digestd has this name"):
        mail_templates(tmp_path)
    with pytest.raises(ConfigError, match="no such folder"):
        mail_templates(tmp_path / "none")
    (tmp_path / "mail" / "foter.html.j2").unlink()
    (tmp_path / "mail" / "footer.html.j2").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        mail_templates(tmp_path)


def test_shipped_folder_that_is_missing_is_said() -> None:
    assert (shipped("seeds") / "README.md").exists()
    with pytest.raises(ConfigError, match="missing from this installation"):
        shipped("nothing")


def test_templates_hidden_files_are_passed_over_and_large_or_unreadable_ones_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / ".footer.html.j2.swp").write_bytes(b"\xff")
    assert mail_templates(tmp_path) == mail_templates(None)
    large = tmp_path / "mail" / "footer.html.j2"
    large.write_bytes(b"x" * 1_000_001)
    with pytest.raises(ConfigError, match="too large for a template"):
        mail_templates(tmp_path)
    large.write_bytes(b"x" * 1_000_000)
    assert len(mail_templates(tmp_path)["mail/footer.html.j2"]) == 1_000_000

    def refuse(path: Path, *_: object) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        mail_templates(None)


def test_load_file_beyond_the_cap_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "digestd.toml"
    with path.open("wb") as file:
        file.truncate(64_000_001)
    with pytest.raises(ConfigError, match="larger than 64 MB; split it into a folder of files"):
        load(path)


def test_load_tilde_is_the_home_folder_and_an_unknown_user_no_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    settings = load(written(tmp_path, GOOD + '[paths]\ninbox = "~/in"\narchive = "~no-such-user/x"\n'))
    assert settings.paths.inbox == tmp_path / "home" / "in"
    assert settings.paths.archive == tmp_path / "~no-such-user" / "x"


def test_settings_built_by_hand_take_nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGESTD_SMTP__HOST", "other")
    assert Settings(smtp=Smtp(host="x"), mail=Mail(from_address="a@example.org")).smtp.host == "x"


@pytest.mark.parametrize(
    "url",
    [
        "https://bücher.example",
        "https://a.example/b c",
        "https://a.example/\u00a0",
        "https://a.example/\x7f",
        "https://a.example/" + "x" * 283,
        "ftp://a.example",
        "https://",
        "papers.example.org",
        "https://u@a.example",
    ],
)
def test_mail_public_url_that_cannot_stand_in_a_header_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not an address such as"):
        Mail(from_address="a@example.org", public_url=url)


def test_mail_public_url_that_is_sound_loses_its_last_slash() -> None:
    longest = "https://a.example/" + "x" * 282
    for url, kept in (("", ""), ("http://a.example:8080/x/", "http://a.example:8080/x"), (longest, longest)):
        assert Mail(from_address="a@example.org", public_url=url).public_url == kept


@pytest.mark.parametrize(
    ("table", "key", "least", "most", "step"),
    [
        ("ingest", "max_file_mb", 1, 10_000, 1),
        ("ingest", "settle_seconds", 0, 3600, 0.5),
        ("disk", "min_free_mb", 0, 10_000_000, 1),
        ("disk", "ballast_mb", 0, 10_000, 1),
        ("smtp", "port", 1, 65_535, 1),
        ("smtp", "connections", 1, 100, 1),
        ("schedule", "tick_seconds", 0.1, 3600, 0.05),
        ("web", "port", 1, 65_535, 1),
        ("matching", "max_papers", 1, 200, 1),
        ("matching", "min_score", 0, 1e9, 0.5),
    ],
)
def test_load_number_is_taken_within_its_bounds_only(
    tmp_path: Path, table: str, key: str, least: float, most: float, step: float
) -> None:
    head = GOOD if table != "smtp" else '[mail]\nfrom_address = "a@example.org"\n'
    more = 'host = "relay"\n' if table == "smtp" else ""
    for value in (least, most):
        settings = load(written(tmp_path, f"{head}[{table}]\n{more}{key} = {value}\n"))
        assert getattr(getattr(settings, table), key) == value
    for value in (least - step, *((most + step,) if most < 1e9 else ())):
        with pytest.raises(ConfigError, match=f"{table}.{key}: input should be"):
            load(written(tmp_path, f"{head}[{table}]\n{more}{key} = {value}\n"))


def test_find_the_option_wins_over_the_environment(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    assert find(path, {"DIGESTD_CONFIG": str(tmp_path / "other.toml")}) == path
    with pytest.raises(ConfigError, match=r"no configuration at .*other\.toml"):
        find(None, {"DIGESTD_CONFIG": str(tmp_path / "other.toml")})


def test_load_dkim_key_file_is_relative_to_the_file_and_a_bad_key_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + '[[mail.dkim]]\nselector = "papers"\nkey_file = "dkim.pem"\n')
    (tmp_path / "dkim.pem").write_text("no key")
    settings = load(path)
    assert settings.mail.dkim[0].key_file == tmp_path / "dkim.pem"
    with pytest.raises(ConfigError, match=r"dkim\.pem: not a private key"):
        signers(settings)
