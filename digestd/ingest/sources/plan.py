"""Where a source is fetched, and when again: pure decisions, no clock and no network."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote, quote_plus

from digestd.config.tables import Source

FIRST_DELAY = timedelta(minutes=15)
LONGEST_DELAY = timedelta(hours=24)  # a server that asks for more is asked again after a day
API_RESULTS = 200  # arXiv's API takes up to 2,000, and asks for fewer


def address(source: Source) -> str:
    """Return where a source is fetched. Each preset is the site's own feed or API, as it asks programs to use it.

    arXiv: info.arxiv.org/help/rss.html (categories joined by `+`, 2,000 papers at most, made anew at midnight of New
    York) and info.arxiv.org/help/api/user-manual.html (one connection, three seconds between requests). Hugging Face:
    huggingface.co/docs/hub/api, `/api/daily_papers` with 100 at most. bioRxiv and medRxiv: the feeds that their alerts
    pages list, subjects in lower case with `_`, joined by `+`; they hold the thirty newest. PubMed: the address that
    *Create RSS* shows, whose code may hold `-` and `_`, with 100 at most.
    """
    topics = [topic.strip() for topic in source.topics]
    if source.preset == "arxiv" and topics:
        return "https://rss.arxiv.org/rss/" + "+".join(quote(topic, safe=".-") for topic in topics)
    if source.preset == "arxiv":
        asked = f"search_query={quote_plus(source.query)}&sortBy=submittedDate&sortOrder=descending"
        return f"https://export.arxiv.org/api/query?{asked}&max_results={API_RESULTS}"
    if source.preset == "huggingface":
        return "https://huggingface.co/api/daily_papers?limit=100"
    if source.preset in ("biorxiv", "medrxiv"):
        asked = "+".join(quote(topic.replace(" ", "_"), safe="_-") for topic in topics) or "all"
        return f"https://connect.{source.preset}.org/{source.preset}_xml.php?subject={asked}"
    if source.preset == "pubmed":
        return f"https://pubmed.ncbi.nlm.nih.gov/rss/search/{source.query}/?limit=100"
    return source.url


def next_delay(every: timedelta, failures: int, asked: timedelta | None) -> timedelta:
    """Return how long to wait before a source is fetched again.

    Without a failure it is the cadence; else it doubles from FIRST_DELAY up to LONGEST_DELAY or the cadence, whichever
    is longer. A server that asks for a pause (`Retry-After`) gets it, up to LONGEST_DELAY.
    """
    if failures == 0:
        return every
    delay = min(FIRST_DELAY * float(2 ** min(failures - 1, 20)), max(LONGEST_DELAY, every))
    return max(delay, min(asked or timedelta(0), LONGEST_DELAY))
