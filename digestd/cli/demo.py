"""`demo`: the face of the product."""

from __future__ import annotations

from pathlib import Path

import click

from digestd.cli.common import fail_unless, json_option
from digestd.cli.output import progress, say, table, tell, tell_json
from digestd.demo import DemoReport
from digestd.demo import demo as run_demo
from digestd.publish.wording import counted
from digestd.service import build


@click.command()
@click.argument("digests", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("demo-out"), show_default=True, help="Where messages go."
)
@json_option
@click.option("--open", "open_", is_flag=True, help="Show the messages in a browser.")
def demo(digests: tuple[Path, ...], out: Path, as_json: bool, open_: bool) -> None:
    """Run the whole main job with nothing to set up.

    The sample readers' profiles are matched with DIGESTS (default: the papers in seeds/), and their mail goes through a
    real SMTP conversation into OUT. Nobody is mailed. Of what stands in OUT, only the files of an earlier demo are
    replaced.

    \b
    Example:  digestd demo huggingface.txt --out demo-out --open
    """
    with progress("files and messages") as step:
        report = run_demo(digests, out, build.utc_now(), lambda: step(1))
    if as_json:
        tell_json(_record(report))
    else:
        _show(report)
    for file in report.files:
        if file.refused:
            say(f"{file.file}: {file.refused}")
        for bad in file.bad_records:
            say(f"{file.file}, line {bad.line}: {bad.reason}")
    if open_:
        click.launch(str(report.page))
    delivered = report.delivered
    lost = delivered.deferred + delivered.failed + delivered.uncertain
    if lost:
        say(f"{counted(lost, 'message')} could not be written to {out}")
    fail_unless(not lost and not any(file.refused for file in report.files))


def _show(report: DemoReport) -> None:
    shown = None
    rows = []
    for one in report.placed:
        reader = f"{one.reader}\n{one.profile}" if (one.reader, one.profile) != shown else ""
        shown = (one.reader, one.profile)
        rows.append((reader, one.paper, " · ".join(one.why), f"{one.score:.1f}"))
    table(("reader", "paper", "why", "score#"), rows)
    papers = sum(file.papers for file in report.files)
    readers = len({one.reader for one in report.placed})
    sent = counted(report.delivered.sent, "message")
    tell(f"{counted(papers, 'paper')}, {counted(readers, 'reader')}, {sent} sent and received.", "")
    tell(f"Look at them side by side:  {report.page}")
    tell("As they arrived:", *(f"  {path}" for path in report.messages))


def _record(report: DemoReport) -> dict[str, object]:
    return {
        "files": [
            {key: getattr(file, key) for key in ("file", "papers", "new", "revised", "duplicate", "bad", "refused")}
            for file in report.files
        ],
        "placed": report.placed,
        "sent": report.delivered.sent,
        "messages": report.messages,
        "page": report.page,
    }
