"""Whole messages, as a mail server delivers them (`.eml`) or a mail program keeps them (mbox).

Each part that is text, in whatever encoding, and each attachment is taken as the digest file it holds; parts that hold
none are passed over. A forwarded announcement is one of its parts.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from datetime import date
from email import message_from_string, policy
from email.message import Message

from digestd.errors import FileRefused
from digestd.ingest.reading import HEAD, half_written
from digestd.model import BadRecord, Paper

NAME = "mail"
MAX_MESSAGE = 16_000_000  # characters; relays take 10 to 50 MB, and announcements have less than one
MAX_PARTS = 100
MAX_NESTED = 50  # the standard library reads each line once for each level

_FIELD = re.compile(r"^(?P<name>[A-Za-z][A-Za-z0-9-]{1,40}):\s?\S?", re.MULTILINE)
_OF_MAIL = frozenset(
    {"received", "return-path", "message-id", "mime-version", "delivered-to", "from", "to", "content-type"}
)
_NEXT = re.compile(r"From \S+ .*\d{4}\s*$")
_LINE_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/pre|/li)\b[^<>]*>", re.IGNORECASE)
_ANY_TAG = re.compile(r"</?[A-Za-z!][^<>]*>")


def recognise(head: str) -> bool:
    """Return whether the file begins as a message does, with at least two of the header fields that mail has."""
    begin = head.lstrip("\ufeff\r\n")
    if _NEXT.match(begin.split("\n", 1)[0].rstrip("\r")):
        begin = begin.partition("\n")[2]
    block = re.split(r"\r?\n\r?\n", begin, maxsplit=1)[0]
    names = {found["name"].lower() for found in _FIELD.finditer(block)}
    first = _FIELD.match(block)
    return first is not None and len(names & _OF_MAIL) >= 2


def parse(lines: Iterator[str], modified: date) -> Iterator[Paper | BadRecord]:
    """Yield the papers of every part of every message, each once.

    Raises FileRefused when no part holds a digest file, saying of the first one why.
    """
    seen: set[int] = set()
    refused: FileRefused | None = None
    taken = False
    for begun, message in _messages(lines):
        for text in _parts(message):
            try:
                for record in _records(text, modified):
                    taken = True
                    if isinstance(record, BadRecord):
                        yield BadRecord(begun, f"{record.reason} (line {record.line} of a part)", record.excerpt)
                    elif hash(record) not in seen:
                        seen.add(hash(record))
                        yield record
                taken = True
            except FileRefused as error:
                refused = refused or error
                if "not known" not in str(error) and "tells of no paper" not in str(error):
                    raise
    if not taken:
        raise FileRefused(
            f"no part of the message holds a digest file: {refused}" if refused else "a message without text"
        )


def _records(text: str, modified: date) -> Iterator[Paper | BadRecord]:
    from digestd.ingest.formats import detect

    if recognise(text[:HEAD]):  # a message within a message is one of its parts already
        return
    lines = io.StringIO(text if text.endswith("\n") else f"{text}\n")  # a part has no last newline of its own
    yield from detect(text[:HEAD]).parse(lines, modified)


def _is_digest(text: str) -> bool:
    from digestd.ingest.formats import detect

    try:
        return bool(detect(text[:HEAD]))
    except FileRefused as error:
        return "at once" in str(error)


def _messages(lines: Iterator[str]) -> Iterator[tuple[int, Message]]:
    """Yield each message and the line it begins in: of an mbox several, each behind a line `From …`."""
    held: list[str] = []
    begun, size, blank = 1, 0, True
    for number, line in enumerate(lines, 1):
        if blank and _NEXT.match(line):
            if held:
                yield begun, _message(held)
            held, begun, size = [], number, 0
        else:
            held.append(line[1:] if line.startswith(">From ") else line)
            size += len(line)
            if size > MAX_MESSAGE:
                raise FileRefused(f"the message at line {begun} is longer than {MAX_MESSAGE:,} characters")
        blank = not line.strip()
    if any(map(str.strip, held)):
        yield begun, _message(held)


def _message(lines: list[str]) -> Message:
    text = "".join(lines).lstrip("\ufeff\r\n")
    if text.lower().count("boundary=") > MAX_NESTED:
        raise FileRefused(f"a message within more than {MAX_NESTED} others")
    message = message_from_string(text, policy=policy.compat32)
    boundary = message.get_boundary()
    if boundary and message.is_multipart() and f"--{boundary}--" not in text:
        raise half_written(len(lines))
    return message


def _parts(message: Message) -> Iterator[str]:
    """Yield the text of each part; of alternatives the plain one where it has any."""
    if message.epilogue and _is_digest(message.epilogue):
        raise FileRefused("it goes on behind the end of the message, with a digest file; split it")
    for number, part in enumerate(message.walk()):
        if number >= MAX_PARTS:
            raise FileRefused(f"a message of more than {MAX_PARTS} parts")
        kind = part.get_content_type()
        if part.is_multipart() or kind.startswith(("image/", "audio/", "video/")):
            continue
        text = _decoded(part)
        if kind == "text/html" and "\\\\" in text and "arXiv:" in text:
            yield _lines_of_html(text)
        elif text.strip():
            yield text


def _lines_of_html(text: str) -> str:
    """Return HTML that only wraps a plain announcement as its lines."""
    lines = _LINE_BREAK.sub("\n", _seen(text)).split("\n")
    return "".join(f"{html.unescape(_ANY_TAG.sub('', line)).strip()}\n" for line in lines)


def _seen(text: str) -> str:
    """Return HTML without what browsers do not show."""
    for name in ("head", "style", "script"):
        begin = text.find(f"<{name}")
        while begin >= 0:
            end = text.find(f"</{name}>", begin)
            text = text[:begin] + (text[end:] if end >= 0 else "")
            begin = text.find(f"<{name}", begin)
    return text


def _decoded(part: Message) -> str:
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    if encoding not in ("base64", "quoted-printable", "x-uuencode", "uuencode"):
        payload = part.get_payload()
        return payload if isinstance(payload, str) else ""
    raw = part.get_payload(decode=True)
    if not isinstance(raw, bytes):
        return ""
    try:
        return raw.decode(part.get_content_charset("utf-8"), "replace").replace("\r\n", "\n")
    except LookupError:
        return raw.decode("utf-8", "replace")
