"""Letters become what a person reads: the mails that carry no digest. Pure.

They share the head, the style sheets and the promises of an edition; `mail/letter.html.j2` and `.txt.j2` are their
frame, and one small template for each kind says the rest.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from digestd.errors import ConfigError, TemplateError
from digestd.letters import Letter, LetterKind
from digestd.match.text import clean
from digestd.model import Cadence, Edition, Profile, Sender, Snapshot
from digestd.publish.addresses import unsubscribe_urls
from digestd.publish.card import shorten
from digestd.publish.links import safe_url
from digestd.publish.templates import templates

LONGEST_HTML = 40_000  # octets; fifty queries of some length and five titles make half of it
_LONGEST_QUERY = 200
_LONGEST_SENTENCE = 500

_DAYS: Final = MappingProxyType(
    {
        "mon": "Monday",
        "tue": "Tuesday",
        "wed": "Wednesday",
        "thu": "Thursday",
        "fri": "Friday",
        "sat": "Saturday",
        "sun": "Sunday",
    }
)
_SUBJECTS: Final = MappingProxyType(
    {
        LetterKind.CONFIRM: "Please confirm: research papers by e-mail",
        LetterKind.WELCOME: "Welcome: your papers are on their way",
        LetterKind.MISTAKE: "Some of your search words need your attention",
    }
)


def _subject(letter: Letter) -> str:
    if letter.kind is not LetterKind.NOTICE:
        return _SUBJECTS[letter.kind]
    if not letter.found:
        return "digestd: all clear"
    return f"digestd needs you: {len(letter.found)} thing{'' if len(letter.found) == 1 else 's'}"


def rhythm(profile: Profile) -> str:
    """Return when a profile's mail comes: `every weekday at 08:00 (Europe/Berlin)`."""
    days = [day.value for day in profile.days]
    if profile.cadence is Cadence.IMMEDIATE:
        return "as soon as a paper matches"
    if profile.cadence is Cadence.WEEKLY:
        named = f"every {_DAYS[days[0]]}"
    elif len(days) == len(_DAYS):
        named = "every day"
    elif days == ["mon", "tue", "wed", "thu", "fri"]:
        named = "every weekday"
    else:
        names = [_DAYS[day] for day in days]
        named = "every " + " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
    return f"{named} at {profile.at:%H:%M} ({profile.timezone.replace('_', ' ')})"


def confirm_url(sender: Sender, token: str) -> str:
    """Return the address of the page that confirms. Raises ConfigError for a sender without web pages."""
    url = safe_url(f"{sender.public_url.rstrip('/')}/c/{token}") if sender.public_url else None
    if url is None:
        raise ConfigError("mail.public_url: needed by the mail that asks whether to subscribe")
    return url


def letter_parts(edition: Edition, snapshot: Snapshot) -> tuple[str, str, str]:
    """Return the subject, the text part and the HTML part of an edition that is a letter.

    Raises TemplateError, ConfigError and AddressRefused as `render` does.
    """
    letter = edition.letter
    assert letter is not None
    ready = templates(snapshot.templates)
    sender = snapshot.sender
    by_web, by_mail = unsubscribe_urls(sender, edition.reader.token)
    page = by_web or by_mail
    subject = _subject(letter)
    values: dict[str, object] = {
        "subject": subject,
        "kind": letter.kind.value,
        "sender": clean(sender.from_name) or clean(sender.from_address),
        "contact": clean(sender.reply_to),
        "address": shorten(clean(edition.reader.email), 254),
        "queries": [shorten(clean(query), _LONGEST_QUERY) for query in letter.queries],
        "exclude": [shorten(clean(query), _LONGEST_QUERY) for query in letter.exclude],
        "rhythm": clean(letter.rhythm),
        "taste": [(shorten(clean(title), 300), url) for title, link in letter.taste if (url := safe_url(link))],
        "found": [shorten(clean(sentence), _LONGEST_SENTENCE) for sentence in letter.found],
        "over": [shorten(clean(sentence), _LONGEST_SENTENCE) for sentence in letter.over],
        "confirm_url": confirm_url(sender, letter.token) if letter.kind is LetterKind.CONFIRM else "",
        "preferences_url": f"{by_web}/preferences" if by_web else "",
        "unsubscribe_url": page,
    }
    html = str(ready.html("mail/letter.html.j2", **values))
    if len(html.encode()) > LONGEST_HTML:
        raise TemplateError(f"mail/letter.html.j2: a letter of more than {LONGEST_HTML} octets")
    return subject, ready.text("mail/letter.txt.j2", **values), html
