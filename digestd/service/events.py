"""Every event that is logged, by name: what happened. The table in docs/observing.md is this one.

A name never changes its meaning; alerts and searches of operators rely on it. A test holds the program to the list.
"""

from __future__ import annotations

from types import MappingProxyType

EVENTS = MappingProxyType(
    {
        "bad-record": "a piece of a digest file could not become a paper",
        "clock-stepped": "the clock was set by more than a minute",
        "delivered-elsewhere": "another process delivers from the store at this moment",
        "edition-deferred": "an attempt failed for now; it is repeated",
        "edition-failed": "an edition is given up; `digestd outbox show` says why",
        "edition-sent": "the relay has taken an edition",
        "edition-uncertain": "the relay may have taken an edition",
        "file-ingested": "a digest file's papers are in the store",
        "file-refused": "a digest file went to the quarantine",
        "file-repeated": "a digest file's content was known; nothing is counted twice",
        "health-failed": "the store did not answer the health check",
        "operator-came": "somebody logged in to the operator's pages",
        "operator-did": "something was done from the operator's pages, and what it came to",
        "operator-refused": "a wrong password was tried at the operator's pages",
        "operator-serving": "the operator's pages are served",
        "operator-told": "a notice to the operator is in the outbox: what needs them, and how much of it is over",
        "people-synchronised": "the subscribers file was taken over",
        "profile-refused": "a mistake in the subscribers file; its last good version goes on",
        "published": "editions were composed",
        "reader-changed": "a reader changed what they follow, or when",
        "reader-tuned": "a reader wanted more or less like a paper, took it back, or turned it off, on, or forgot it",
        "reader-chose": "a reader used the page of their subscription",
        "reader-confirmed": "somebody who signed up confirmed it",
        "reader-forgotten": "a reader had what is known of them removed",
        "relay-failed": "the relay itself failed; it is tried again later",
        "reload-refused": "a change of configuration or templates has a mistake; the last good version goes on",
        "reloaded": "configuration, people and templates were taken over",
        "restart-needed": "a change that only a restart takes over",
        "serving": "the daemon has begun its work",
        "signups-limited": "more sign-ups came than are taken; the rest was told to come later",
        "source-failed": "a source could not be fetched; it is tried again later",
        "source-fetched": "a source was asked for new papers",
        "stage-failed": "a stage ended with an error; it is tried again at the next tick",
        "stage-stuck": "a stage has shown no progress for long; the watchdog is no longer fed",
        "stopped": "the daemon has ended",
        "stopping": "the daemon was asked to end, and finishes what is on its way",
        "store-silent": "the store could not say how many editions are in each state",
        "watch-failed": "a folder cannot be watched; changes are seen at the ticks",
        "web-failed": "a web page could not be answered, by a defect of the program",
        "web-serving": "the web pages are served",
        "web-store-failed": "a web page could not be answered, as the store failed",
    }
)
