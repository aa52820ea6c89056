"""The walls of the house (docs/architecture.md): who may import whom, and what pure files keep away from."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "digestd"
FILES = sorted(PACKAGE.rglob("*.py"))

# From the ground up; a file imports from its own layer or from below.
LAYERS = (
    {"errors", "letters", "model", "resources", "config", ""},
    {"match"},
    {
        "ingest.authors",
        "ingest.dates",
        "ingest.identity",
        "ingest.json_records",
        "ingest.markup",
        "ingest.reading",
        "ingest.formats",
        "ingest.inbox",
        "publish",
        "deliver.policy",
        "deliver.line",
    },
    {"store"},
    {"deliver", "ingest", "subscribers"},
    {"publish.stage"},
    {"service", "web", "demo"},
    {"cli", "__main__"},
)
APART = {("match", "publish"), ("store", "web"), ("store", "deliver"), ("web", "deliver"), ("deliver", "web")}
MUTABLE = {"dict", "list", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict"}
IMPURE = {"sqlite3", "asyncio", "socket", "time", "random", "secrets", "subprocess", "threading"}
PURE = (
    "match",
    "letters",
    "model",
    "errors",
    "config.places",
    "ingest.authors",
    "ingest.dates",
    "ingest.formats",
    "ingest.identity",
    "ingest.json_records",
    "ingest.markup",
    "deliver.policy",
    "publish",
)
SQL = ("SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", "PRAGMA ", "BEGIN")


def room(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip(".")


ROOMS = {room(path) for path in FILES}


def layer(name: str) -> int:
    """Return the layer of the longest prefix of a room's name that the layers know."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        for number, names in enumerate(LAYERS):
            if ".".join(parts[:length]) in names:
                return number
    raise AssertionError(f"{name} has no layer: add its room to LAYERS")


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return all that a file is made of."""
    return tuple(ast.walk(ast.parse(path.read_text())))


def imports(path: Path) -> Iterator[str]:
    """Yield what a file imports, at any depth: of this package the room, of others the first name."""
    for node in nodes(path):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith("digestd"):
                yield name
            else:
                yield name.partition(".")[0]


def ours(path: Path) -> set[str]:
    """Return the rooms that a file imports; of `from digestd.ingest import identity` the inner one."""
    found = {name.removeprefix("digestd").lstrip(".") for name in imports(path) if name.startswith("digestd")} & ROOMS
    return {name for name in found if not any(other.startswith(f"{name}.") for other in found)}


def is_pure(name: str) -> bool:
    return name.startswith(PURE) and not name.endswith("stage")


@pytest.mark.parametrize("path", FILES, ids=room)
def test_layer_of_a_file_is_not_below_what_it_imports(path: Path) -> None:
    name = room(path)
    mine = name.partition(".")[0]
    for other in ours(path):
        theirs = other.partition(".")[0]
        assert layer(other) <= layer(name), f"{name} imports {other}"
        assert (mine, theirs) not in APART, f"{name} imports {other}"
        assert mine not in {"web", "deliver"} or theirs != "store" or other == "store.base", f"{name} imports {other}"


@pytest.mark.parametrize("path", [path for path in FILES if is_pure(room(path))], ids=room)
def test_layer_pure_file_does_no_io_and_reads_no_clock(path: Path) -> None:
    assert not set(imports(path)) & IMPURE
    names = {ast.unparse(node) for node in nodes(path) if isinstance(node, ast.Attribute)}
    assert not {name for name in names if name.endswith((".now", ".today", ".utcnow", ".environ", ".getenv"))}


@pytest.mark.parametrize("path", FILES, ids=room)
def test_layer_sql_stands_in_the_store_alone(path: Path) -> None:
    texts = [node.value for node in nodes(path) if isinstance(node, ast.Constant)]
    found = [text for text in texts if isinstance(text, str) and text.lstrip().startswith(SQL)]
    assert not found or room(path).startswith("store.")
    assert "BEGIN" not in " ".join(found) or room(path) == "store.sqlite"


@pytest.mark.parametrize("path", FILES, ids=room)
def test_layer_file_is_short_and_keeps_no_state(path: Path) -> None:
    source = path.read_text()
    assert source.count("\n") <= 400
    for node in ast.parse(source).body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        is_names = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        called = ast.unparse(value.func).rpartition(".")[2] if isinstance(value, ast.Call) else ""
        displayed = isinstance(value, ast.List | ast.Set | ast.Dict | ast.ListComp | ast.SetComp | ast.DictComp)
        assert is_names or not (displayed or called in MUTABLE), ast.unparse(node)


def test_layer_only_build_and_demo_make_a_real_store() -> None:
    makers = {room(path) for path in FILES if " SqliteStore(" in path.read_text()}
    assert makers == {"service.build"}
    assert {room(path) for path in FILES if " SmtpCourier(" in path.read_text()} == {"service.build"}
