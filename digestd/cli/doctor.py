"""`doctor`: every part tried for real."""

from __future__ import annotations

import asyncio
from types import MappingProxyType

import click

from digestd.cli.common import fail_unless, json_option, settings
from digestd.cli.output import say, tell, tell_json, tell_marked
from digestd.config import address
from digestd.errors import DigestdError
from digestd.publish.wording import counted
from digestd.service import build
from digestd.service.doctor import Finding, Health, examine, relays

SIGNS = MappingProxyType({Health.SOUND: ("✓", "green"), Health.WARNING: ("!", "yellow"), Health.FAILED: ("✗", "red")})


@click.command()
@click.option("--send-to", metavar="ADDRESS", help="Hand the relay a sample mail for this address.")
@json_option
def doctor(send_to: str | None, as_json: bool) -> None:
    """Try every part for real: subscribers, templates, store, clock, folders, disk, DNS records, relay.

    Nothing is changed, and nothing is sent without --send-to. Exits with 1 when a part failed.

    \b
    Example:  digestd doctor --send-to you@example.org
    """
    loaded = settings()
    if send_to is not None:
        try:
            send_to = address(send_to)
        except ValueError as error:
            raise DigestdError(str(error)) from None
    findings = []
    for finding in examine(loaded, build.utc_now()):
        findings.append(finding)
        if not as_json:
            _show(finding)
    for finding in asyncio.run(relays(loaded, send_to)):
        findings.append(finding)
        if not as_json:
            _show(finding)
    if as_json:
        tell_json(findings)
    else:
        _conclude(findings)
    fail_unless(not any(finding.health is Health.FAILED for finding in findings))


def _show(finding: Finding) -> None:
    sign, colour = SIGNS[finding.health]
    first, *more = finding.said.splitlines() or [""]
    tell_marked(sign, colour, f" {finding.part:<12}{first}")
    tell(*(f"{'':14}{line}" for line in more))


def _conclude(findings: list[Finding]) -> None:
    failed = sum(finding.health is Health.FAILED for finding in findings)
    doubtful = sum(finding.health is Health.WARNING for finding in findings)
    look = f"{doubtful} deserve{'s' if doubtful == 1 else ''} a look"
    if failed:
        say(f"{failed} of {counted(len(findings), 'part')} failed" + (f", {look}" if doubtful else ""))
    else:
        tell("", f"everything works; {look}" if doubtful else "everything works")
