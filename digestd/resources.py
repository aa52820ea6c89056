"""Where the files that travel with the program lie: templates, sample configuration, seeds.

In a wheel they are inside the package; in a clone or an editable installation beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from digestd.errors import ConfigError

MAX_TEMPLATE_BYTES = 1_000_000


def shipped(name: str) -> Path:
    """Return the folder `templates`, `config` or `seeds` that came with the program."""
    package = Path(__file__).parent
    for root in (package / "_shipped", package.parent):
        if (root / name).is_dir():
            return root / name
    raise ConfigError(f"the folder {name} is missing from this installation; install digestd again")


def mail_templates(own: Path | None) -> Mapping[str, str]:
    """Return the mail templates by name (`mail/card.html.j2`), the operator's in place of ours.

    Raises ConfigError for a folder or a file that cannot be read, and for a file that replaces nothing.
    """
    return _templates("mail", own)


def web_templates(own: Path | None) -> Mapping[str, str]:
    """Return the templates of the web pages by name (`web/page.html.j2`), as `mail_templates` does those of mails."""
    return _templates("web", own)


def _templates(kind: str, own: Path | None) -> Mapping[str, str]:
    found = _read(shipped("templates"), kind)
    if own is None:
        return found
    if not own.is_dir():
        raise ConfigError(f"{own}: no such folder; paths.templates names the one with your own templates")
    mine = _read(own, kind)
    for name in mine.keys() - found.keys():
        raise ConfigError(f"{own / name}: no template of digestd has this name")
    return {**found, **mine}


def _read(folder: Path, kind: str) -> dict[str, str]:
    texts = {}
    for path in sorted(folder.glob(f"{kind}/**/*")):
        if not path.is_file() or path.name.startswith("."):
            continue
        try:
            if path.stat().st_size > MAX_TEMPLATE_BYTES:
                raise ConfigError(f"{path}: too large for a template")
            texts[path.relative_to(folder).as_posix()] = path.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path}: not UTF-8 text at byte {error.start}") from None
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    return texts
