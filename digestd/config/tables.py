"""The tables of the configuration file: each key with its kind, its bounds and its default."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, IPvAnyAddress, SecretStr, model_validator

from digestd.config.kinds import HOST, Address, ClockText, ListId, OneLine, PublicUrl, Zone

SHORTEST_PASSWORD = 12  # characters; one attempt a second then takes longer than anybody lives


def is_loopback(host: str) -> bool:
    """Return whether an address, or `localhost`, can be reached from this machine alone."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


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


class Disk(Strict):
    """Room on the disk that the database lies on."""

    min_free_mb: int = Field(100, ge=0, le=10_000_000)
    ballast_mb: int = Field(16, ge=0, le=10_000)


class Relay(Strict):
    """A relay that takes mail."""

    host: str = Field(min_length=1, pattern=HOST)
    port: int | None = Field(None, ge=1, le=65535)
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    username: str = ""
    password: SecretStr = SecretStr("")
    password_file: Path | None = None
    connections: int = Field(4, ge=1, le=100)

    @property
    def port_in_use(self) -> int:
        """The port, or the usual one of the kind of TLS (RFC 8314, RFC 6409)."""
        return self.port or {"starttls": 587, "implicit": 465, "none": 25}[self.tls]


class Smtp(Relay):
    """The relay that takes the mail, more that share its work, and what doubt leads to."""

    on_uncertain: Literal["resend", "hold"] = "resend"
    more: tuple[Relay, ...] = ()


class Dkim(Strict):
    """A key that signs each message; its public half stands in the DNS under `selector._domainkey.domain`."""

    selector: str = Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$")
    key_file: Path
    domain: str = Field("", pattern=r"^[A-Za-z0-9.-]{0,253}$")


class Mail(Strict):
    """Who the mail comes from."""

    from_address: Address
    from_name: OneLine = "Papers for you"
    reply_to: Address | None = None
    list_id: ListId = ""
    public_url: PublicUrl = ""
    dkim: tuple[Dkim, ...] = ()


class Schedule(Strict):
    """When things happen, for those who did not say otherwise."""

    tick_seconds: float = Field(20.0, ge=0.1, le=3600)
    timezone: Zone = "UTC"
    at: ClockText = "08:00"
    alert_wait_seconds: float = Field(0.0, ge=0, le=86_400)
    alert_interval_seconds: float = Field(0.0, ge=0, le=86_400)
    alerts_per_day: int = Field(20, ge=1, le=1000)
    list_alerts: bool = False


class Web(Strict):
    """Where `serve` answers the links of the mails; without a port it does not.

    `trusted_proxies` are addresses whose X-Forwarded-For is believed. The limits count the questions that the
    subscribe page sends to addresses: for a network in an hour, for a domain and for all in a day.
    """

    host: str = Field("127.0.0.1", min_length=1, pattern=HOST)
    port: int | None = Field(None, ge=1, le=65535)
    signup: bool = True
    trusted_proxies: tuple[IPvAnyAddress, ...] = ()
    signups_per_network: int = Field(20, ge=1, le=1_000_000)
    signups_per_domain: int = Field(200, ge=1, le=1_000_000)
    signups_in_all: int = Field(1_000, ge=1, le=1_000_000)


class Source(Strict):
    """Where digest files are fetched from: an address, or a preset with what it needs."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    url: str = Field("", pattern=r"^(https?://[^\s/@]+(/\S*)?)?$", max_length=2_000)
    preset: Literal["", "arxiv", "huggingface", "biorxiv", "medrxiv", "pubmed"] = ""
    topics: tuple[OneLine, ...] = ()
    query: OneLine = ""
    every_hours: float = Field(24.0, ge=0.25, le=744)
    allow_private: bool = False

    @model_validator(mode="after")
    def _one_address(self) -> Source:
        if bool(self.url) == bool(self.preset):
            raise ValueError("expected one of url and preset")
        if self.preset == "arxiv" and bool(self.topics) == bool(self.query):
            raise ValueError("the preset arxiv needs topics such as cs.CL, or a query, not both")
        if self.preset == "pubmed" and not re.fullmatch(r"[A-Za-z0-9_-]+", self.query):
            raise ValueError("the preset pubmed needs as query the code of a feed that its Create RSS has made")
        return self


class Operator(Strict):
    """Who is written to when the service needs a person, and how soon; and where the operator's pages are.

    Without a `port` there are none. Without a password they answer to a browser on this very machine alone.
    """

    address: Address | None = None
    quiet_days: int = Field(3, ge=1, le=60)
    repeat_hours: float = Field(24.0, ge=1, le=744)
    host: str = Field("127.0.0.1", min_length=1, pattern=HOST)
    port: int | None = Field(None, ge=1, le=65535)
    password: SecretStr = SecretStr("")
    password_file: Path | None = None

    @model_validator(mode="after")
    def _closed(self) -> Operator:
        given = self.password.get_secret_value()
        if given and self.password_file:
            raise ValueError("password and password_file are both set; keep one")
        if given and len(given) < SHORTEST_PASSWORD:
            raise ValueError(f"the password has fewer than {SHORTEST_PASSWORD} characters")
        if self.port and not is_loopback(self.host) and not (given or self.password_file):
            raise ValueError(f"host {self.host} can be reached from elsewhere, so the pages need a password")
        return self


class Matching(Strict):
    """How papers are chosen: caps for profiles that set none, what counts as the same work, and who may move them."""

    max_papers: int = Field(20, ge=1, le=200)
    min_score: float = Field(0.0, ge=0, allow_inf_nan=False)
    near_duplicates: float = Field(0.6, ge=0.3, le=1)
    learning: bool = True
