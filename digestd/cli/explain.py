"""`why` and `preview`: what a person got or would get, and the reason."""

from __future__ import annotations

from pathlib import Path

import click

from digestd.cli.common import json_option, rounds, settings
from digestd.cli.output import say, tell, tell_json
from digestd.errors import DigestdError
from digestd.model import Edition
from digestd.publish.check import sample_editions
from digestd.publish.render import Rendered, render
from digestd.publish.stage import preview as preview_editions
from digestd.service import build
from digestd.service.gallery import gallery, gallery_page
from digestd.service.hand import one_paper
from digestd.service.rounds import Rounds
from digestd.service.why import why as answer


@click.command()
@click.argument("subscriber")
@click.argument("paper")
@json_option
def why(subscriber: str, paper: str, as_json: bool) -> None:
    """Tell why PAPER was, or was not, sent to SUBSCRIBER.

    PAPER is an id, a link, or a piece of the title that only one paper has.

    \b
    Example:  digestd why ada@example.org arXiv:2310.10637
    """
    with rounds(sync=True) as (made, _):
        found = one_paper(made.store, paper)
        person = made.store.subscribers.find(subscriber)
        told = answer(made.store, person, found, made.clock(), learning=made.settings.matching.learning)
    if as_json:
        tell_json({"conclusion": told.conclusion, **_fields(told)})
        return
    tell(told.title, f"{told.paper}, ingested {told.ingested_at:%Y-%m-%d %H:%M} UTC", "", *told.sentences())


@click.command()
@click.argument("subscriber", required=False)
@click.option("--html", type=click.Path(path_type=Path), help="Write the HTML part to this file.")
@click.option("--text", type=click.Path(path_type=Path), help="Write the text part to this file.")
@click.option("--open", "open_", is_flag=True, help="Show the HTML part in a browser.")
@click.option("--all", "all_", is_flag=True, help="Show every mail and page with samples, on one page.")
def preview(subscriber: str | None, html: Path | None, text: Path | None, open_: bool, all_: bool) -> None:
    """Show the next edition as it would be sent; nothing is marked as sent.

    Without SUBSCRIBER the sample edition is shown. Without options the text part is printed.

    \b
    Example:  digestd preview ada@example.org --html edition.html --open
              digestd preview --all --html all.html     all mails and pages, by your own templates
    """
    if all_:
        if subscriber or text or not (html or open_):
            raise click.UsageError("--all goes with --html FILE or --open, and with nobody's name")
        groups = gallery(settings())
        count = sum(map(len, groups.values()))
        _write(gallery_page(groups), html or _own_file(), f"{count} mails and pages", open_)
        return
    with rounds(sync=True) as (made, _):
        rendered = [render(edition, build.snapshot(made.settings)) for edition in _editions(made, subscriber)]
    if not rendered:
        say(f"{subscriber}: nothing new matches; no edition would be sent")
        return
    for number, one in enumerate(rendered):
        _show(one, number, html, text, open_)


def _editions(made: Rounds, subscriber: str | None) -> list[Edition]:
    if subscriber is None:
        return [sample_editions()["digest"]]
    person = made.store.subscribers.find(subscriber)
    matching, rules = made.settings.matching, build.alert_rules(made.settings)
    return preview_editions(
        made.store, person.pk, made.clock(), matching.near_duplicates, rules, learning=matching.learning
    )


def _show(one: Rendered, number: int, html: Path | None, text: Path | None, open_: bool) -> None:
    """Write an edition where it was asked for; a second one gets a number in its file name."""
    html = html or (_own_file() if open_ else None)
    for path, content in ((html, one.html), (text, one.text)):
        if path is not None:
            target = path if number == 0 else path.with_stem(f"{path.stem}-{number + 1}")
            _write(content, target, one.subject, open_ and path is html)
    if html is None and text is None:
        tell(f"Subject: {one.subject}", "", *one.text.split("\n"))


def _own_file() -> Path:
    """Return where a preview goes that is only to be looked at."""
    folder = Path(click.get_app_dir("digestd"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "preview.html"


def _write(content: str, target: Path, title: str, open_: bool) -> None:
    try:
        target.write_text(content, encoding="utf-8")
    except OSError as error:
        raise DigestdError(f"{target}: {(error.strerror or str(error)).lower()}") from None
    say(f"{title}: {target}")
    if open_:
        click.launch(str(target))


def _fields(told: object) -> dict[str, object]:
    return {name: getattr(told, name) for name in told.__slots__}  # type: ignore[attr-defined]
