"""The words that an edition puts into its frame, and whether templates only show them.

Where they do, what a template makes of one word says what it makes of any other, and a frame can be laid out
without them. Judged by the template's own tree, and with doubt against it.
"""

from __future__ import annotations

from collections.abc import Iterable

from jinja2 import nodes

# In the order of their numbers: the edition's own, those that many have, then those of each section.
WORDS = (
    *("subject", "preheader", "reason", "unsubscribe_url", "preferences_url", "online_url", "tune_url"),
    *("date", "heading", "intro", "already_more"),
)
OWN = WORDS.index("date")
SECTION_WORDS = ("name", "summary", "more")

_LISTS = frozenset({"sections", "already"})  # whose length the shape decides
_IN_SECTIONS = frozenset({"cards", "titles", "first"})  # of a section, what the shape decides
_FROM_ELSEWHERE = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)


def only_shows_words(tree: nodes.Template) -> bool:
    """Return whether a template shows words, or asks whether there are any, and does nothing else with them."""
    if any(tree.find_all(_FROM_ELSEWHERE)):
        return False
    loops = {loop.target.name for loop in tree.find_all(nodes.For) if isinstance(loop.target, nodes.Name)}
    return _Reading(frozenset(loops)).all_plain(tree.body)


class _Reading:
    """One reading of a template; `loops` are the names that its loops give to sections, cards and lines."""

    def __init__(self, loops: frozenset[str]) -> None:
        self._loops = loops

    def all_plain(self, statements: Iterable[nodes.Node]) -> bool:
        return all(map(self._is_plain, statements))

    def _is_plain(self, statement: nodes.Node) -> bool:
        match statement:
            case nodes.Output():
                return all(self._is_value(shown) or self._is_free(shown) for shown in statement.nodes)
            case nodes.If():
                inner = (*statement.body, *statement.elif_, *statement.else_)
                return self._is_question(statement.test) and self.all_plain(inner)
            case nodes.For(target=nodes.Name(), test=None):
                over = statement.iter
                is_ours = isinstance(over, nodes.Name) and over.name in _LISTS
                inner = (*statement.body, *statement.else_)
                return (is_ours or self._is_value(over) or self._is_free(over)) and self.all_plain(inner)
            case _:
                return self._is_free(statement)

    def _is_value(self, expression: nodes.Node) -> bool:
        """Return whether an expression is one name, or what a loop's name holds, and nothing else."""
        if isinstance(expression, nodes.Getattr) and isinstance(expression.node, nodes.Name):
            return expression.node.name in self._loops
        return isinstance(expression, nodes.Name) and expression.name not in self._loops | _LISTS

    def _is_question(self, expression: nodes.Node) -> bool:
        match expression:
            case nodes.And() | nodes.Or():
                return self._is_question(expression.left) and self._is_question(expression.right)
            case nodes.Not():
                return self._is_question(expression.node)
            case nodes.Name(name=name) if name in _LISTS:
                return True
            case _:
                return self._is_value(expression) or self._is_free(expression)

    def _is_free(self, node: nodes.Node) -> bool:
        """Return whether no word can come into a part of a template."""
        if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name in self._loops:
            return node.attr in _IN_SECTIONS
        if isinstance(node, nodes.Name):
            return node.name not in self._loops | _LISTS | {*WORDS}
        return all(map(self._is_free, node.iter_child_nodes()))
