"""How every mail and page looks: what is kept of a screenshot, and how two are compared.

Fonts differ between machines by a pixel here and a line there; the ground, the sheet, the weight of a text, a button's
colour and the scheme do not. So a screenshot becomes a grid of averages, whatever its height, and its palette: the
colours that fill areas, wherever they are. A look is another one when either is. Tried: a main button in green, violet
or grey is missed by the averages on a wide page, and seen by the palette on every page that has one.
`PYTHONPATH=.:tests .venv/bin/python -m support.looks [FOLDER]` writes the references anew, and the screenshots, to be
looked at, into FOLDER.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from digestd.config import Mail, Settings, Smtp
from digestd.service.gallery import gallery

REFERENCES = Path(__file__).parents[1] / "web" / "looks.json"
COLUMNS, ROWS = 16, 32
WIDTHS, SCHEMES = (360, 700), ("light", "dark")
FARTHEST_MEAN = 4.0  # of 255, over all blocks: another font of the same size moves it by 1 to 2, an unread style by 20
FARTHEST_BLOCK = 60.0  # a title that wraps elsewhere moves one block by 40; a button that is gone by 100
PLAIN, TRACE = 0.003, 0.0003  # shares of a page: of what counts as a colour of it, and of what it must not fall below
TALLER = 0.15  # share of the height, for lines that wrap elsewhere

_SHRUNK = """async ([octets, columns, rows, trace]) => {
  const raw = Uint8Array.from(atob(octets), sign => sign.charCodeAt(0));
  const image = await createImageBitmap(new Blob([raw], {type: "image/png"}));
  const canvas = new OffscreenCanvas(columns, rows), pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(image, 0, 0, columns, rows);
  const small = Array.from(pen.getImageData(0, 0, columns, rows).data);
  const whole = new OffscreenCanvas(image.width, image.height).getContext("2d");
  whole.drawImage(image, 0, 0);
  const pixels = new Uint32Array(whole.getImageData(0, 0, image.width, image.height).data.buffer), counts = new Map();
  for (const one of pixels) counts.set(one, (counts.get(one) ?? 0) + 1);
  const shares = [...counts].map(([one, count]) => [one, count / pixels.length]);
  return [small, shares.filter(([, share]) => share >= trace)];
}"""


@dataclass(frozen=True, slots=True)
class Look:
    """A screenshot as blocks: rows × columns × red, green, blue; its height in pixels; the shares of its colours."""

    height: int
    blocks: Any
    palette: Mapping[str, float]

    def written(self) -> list[object]:
        """Return it for JSON: the six upper bits of each block's colour are kept."""
        octets = (self.blocks.astype(np.uint8) & 0xFC).tobytes()
        palette = {colour: round(share, 4) for colour, share in sorted(self.palette.items())}
        return [self.height, base64.b64encode(zlib.compress(octets, 9)).decode(), palette]

    @classmethod
    def read(cls, written: list[Any]) -> Look:
        """Return what `written` wrote."""
        octets = np.frombuffer(zlib.decompress(base64.b64decode(written[1])), np.uint8)
        return cls(written[0], octets.reshape(ROWS, COLUMNS, 3).astype(float) + 2, written[2])

    def difference(self, other: Look) -> str:
        """Return what tells this look from a reference, "" for nothing."""
        far = np.abs(self.blocks - other.blocks).max(axis=2)
        if abs(self.height - other.height) > TALLER * other.height:
            return f"{self.height} pixels high instead of {other.height}"
        if far.mean() > FARTHEST_MEAN or far.max() > FARTHEST_BLOCK:
            row, column = np.unravel_index(far.argmax(), far.shape)
            return f"colours differ by {far.mean():.1f} on average, by {far.max():.0f} at row {row}, column {column}"
        for here, there, what in ((self, other, "new"), (other, self, "gone")):
            for colour, share in here.palette.items():
                if share >= PLAIN and colour not in there.palette:
                    return f"the colour {colour} is {what}"
        return ""


def shown() -> Mapping[str, str]:
    """Return the HTML of every mail and page, by its name."""
    mail = Mail(from_address="papers@example.org", public_url="https://papers.example.org")
    groups = gallery(Settings(smtp=Smtp(host="127.0.0.1"), mail=mail))
    return {f"{kind}: {one.name}": one.html for kind, several in groups.items() for one in several}


async def looks(browser: Any, folder: Path | None = None) -> AsyncIterator[tuple[str, Look]]:
    """Yield how each looks in both widths and both schemes; screenshots go to `folder`."""
    shrinking = await (await browser.new_context()).new_page()
    for width in WIDTHS:
        for scheme in SCHEMES:
            context = await browser.new_context(viewport={"width": width, "height": 500}, color_scheme=scheme)
            page = await context.new_page()
            for name, html in shown().items():
                await page.set_content(html)
                assert await page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} at {width}"
                key = f"{name}, {width} {scheme}"
                octets = await page.screenshot(full_page=True, animations="disabled", caret="hide")
                if folder is not None:
                    (folder / f"{key.replace(': ', '-').replace(' ', '_')}.png").write_bytes(octets)
                asked = [base64.b64encode(octets).decode(), COLUMNS, ROWS, TRACE]
                small, shares = await shrinking.evaluate(_SHRUNK, asked)
                colours = np.array(small, float).reshape(ROWS, COLUMNS, 4)
                palette = {(one & 0xFFFFFF).to_bytes(3, "little").hex(): share for one, share in shares}
                height = await page.evaluate("document.documentElement.scrollHeight")
                yield key, Look(height, colours[:, :, :3], palette)
            await context.close()


async def main() -> None:
    """Write the references."""
    from support.browser import chromium

    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    async with chromium() as browser:
        found = {name: look.written() async for name, look in looks(browser, folder)}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(written)}" for name, written in sorted(found.items()))
    REFERENCES.write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    asyncio.run(main())
