"""How a query is looked for in a document: the tree of the language compiled once, evaluated often.

Each kind of plan says where it stands (`find`) and what a document must hold for it to stand there
(`requirements`), which is what an index goes by. Exclusion is a matter of the evaluation: what must not stand
there gives no place.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from digestd.match.document import CATEGORY, FIELDS, SHIFT, SIZE, Document, Place, code, code_key, prefix_key, stem_key
from digestd.match.syntax import And, Exact, Loose, Near, Node, Not, Or, Prefix, Within, Words
from digestd.match.text import Border, readings, tokens
from digestd.model import Field

Fields = frozenset[int]  # by their numbers in FIELDS
Requirement = frozenset[str]  # keys: a document that has none of them cannot be hit

EVERYWHERE: Fields = frozenset(range(len(FIELDS))) - {FIELDS.index(Field.SOURCE)}  # a source must be named


@dataclass(frozen=True, slots=True)
class Step:
    """One word to meet: a stem, or with `prefix` the beginning of a word; then the pattern goes on at `after`."""

    word: str
    sign: str
    after: int
    prefix: bool = False

    def key(self) -> str | None:
        """Return the document key it needs, or None where a prefix is too short to have one."""
        if not self.prefix:
            return stem_key(self.word)
        return prefix_key(self.word) if len(self.word) > 1 else None


@dataclass(frozen=True, slots=True)
class Pattern:
    """A term's tokens in all their readings: at each token, the steps that may be taken from it."""

    steps: tuple[tuple[Step, ...], ...]

    def places(self, document: Document, fields: Fields) -> list[Place]:
        """Return where the pattern stands, one place for each token it begins at: the shortest."""
        first = self.steps[0]
        in_field = document.fields
        if len(self.steps) == 1 and not first[0].prefix and not first[0].sign:
            # One word, which is most of what people ask for: the document knows the answer.
            return [place for place in document.stems.get(first[0].word, ()) if in_field[place >> SHIFT] in fields]
        found = []
        for start in self._starts(document):
            if in_field[start] in fields:
                end = self._end(document, start)
                if end is not None:
                    found.append(start << SHIFT | end - start)
        return found

    def requirements(self) -> Iterator[Requirement]:
        """Yield, for each token, the keys of the steps over it: one of them must be in the document."""
        for position in range(len(self.steps)):
            over = [step.key() for steps in self.steps[: position + 1] for step in steps if step.after > position]
            if None not in over:
                yield frozenset(key for key in over if key is not None)

    def _starts(self, document: Document) -> list[int]:
        starts: set[int] = set()
        for step in self.steps[0]:
            if step.prefix:
                starts.update(document.beginnings.get(prefix_key(step.word), ()))
            else:
                starts.update(place >> SHIFT for place in document.stems.get(step.word, ()))
        return sorted(starts)

    def _end(self, document: Document, start: int) -> int | None:
        """Return where the shortest standing of the pattern from token `start` on ends."""
        reached: list[set[int]] = [set() for _ in range(len(self.steps) + 1)]
        reached[0].add(start)
        for position, steps in enumerate(self.steps):
            for at in reached[position]:
                for step in steps:
                    sizes = (document.sizes_beginning if step.prefix else document.sizes)(step.word, at)
                    ends = (at + size for size in sizes)
                    signed = (end for end in ends if step.sign in ("", document.signs.get(end - 1)))
                    reached[step.after].update(signed)
        return min(reached[-1], default=None)


@dataclass(frozen=True, slots=True)
class Spelling:
    """Exactly these characters, of which the first `lead` and the last `trail` lie outside of the tokens."""

    text: str
    lead: int
    trail: int

    def stands(self, document: Document, place: Place) -> bool:
        """Whether `place` is spelt so and its words do not go on: `=RAG` is not in RAG2."""
        start = place >> SHIFT
        if document.goes_on(start - 1) or document.goes_on(start + (place & SIZE) - 1):
            return False
        span = document.span(place)
        first = max(span.start - self.lead, 0)
        return document.texts[span.field][first : span.end + self.trail] == self.text


@dataclass(frozen=True, slots=True)
class Term:
    """A pattern in fields; also as a category's `code`; `exact` is the spelling it must have.

    `beside` are the joins with the words before and after it: they count where the word itself does not stand.
    """

    pattern: Pattern
    fields: Fields
    code: str
    exact: Spelling | None = None
    prefix: bool = False
    beside: tuple[Pattern, ...] = ()

    def places(self, document: Document) -> list[Place]:
        """Return where the term stands in texts, in order."""
        found = self.pattern.places(document, self.fields)
        if self.exact is not None:
            found = [place for place in found if self.exact.stands(document, place)]
        if not found and self.beside:
            found = sorted({place for pattern in self.beside for place in pattern.places(document, self.fields)})
        return found

    def find(self, document: Document) -> list[Place] | None:
        """Return where the term stands, or None."""
        found = self.places(document)
        if document.codes and CATEGORY in self.fields:
            found += self._categories(document)
        return found or None

    def requirements(self) -> list[Requirement]:
        """Return the sets of keys of which each must meet the document's."""
        others = {stem_key(pattern.steps[0][0].word) for pattern in self.beside}
        if CATEGORY in self.fields:
            others.add(code_key(self.code[:2] + "*" if self.prefix else self.code))
        return [required | others for required in self.pattern.requirements()]

    def _categories(self, document: Document) -> Iterable[Place]:
        if self.prefix:
            return {place for name, found in document.codes.items() if name.startswith(self.code) for place in found}
        places = document.codes.get(self.code, ())
        if self.exact is None or not places:
            return places
        whole = document.texts[Field.CATEGORY]
        return [place for place in places if whole.startswith(self.exact.text, document.span(place).start)]


@dataclass(frozen=True, slots=True)
class Nearby:
    """Two sides at most `distance` words apart, neither over the other."""

    left: tuple[Term, ...]
    right: tuple[Term, ...]
    distance: int

    def find(self, document: Document) -> list[Place] | None:
        """Return the places of both sides that have one of the other near."""
        left, right = _union(self.left, document), _union(self.right, document)
        places = {*self._with_neighbour(document, left, right), *self._with_neighbour(document, right, left)}
        return sorted(places) or None

    def requirements(self) -> list[Requirement]:
        """Return the sets of keys of which each must meet the document's."""
        return [_any_of(side) for side in (self.left, self.right)]

    def _with_neighbour(self, document: Document, places: list[Place], others: list[Place]) -> Iterator[Place]:
        numbers = [document.numbers[place >> SHIFT] for place in others]
        widest = max((place & SIZE for place in others), default=0)
        for place in places:
            start, last = place >> SHIFT, (place >> SHIFT) + (place & SIZE) - 1
            low = bisect_left(numbers, document.numbers[start] - self.distance - widest)
            high = bisect_left(numbers, document.numbers[last] + self.distance + 1)
            distances = (document.distance(place, other) for other in others[low:high])
            if any(distance is not None and distance <= self.distance for distance in distances):
                yield place


@dataclass(frozen=True, slots=True)
class Stretch:
    """Words in any order that all stand within `distance` of one another; a word named twice stands there twice."""

    parts: tuple[tuple[Term, int], ...]
    distance: int

    def find(self, document: Document) -> list[Place] | None:
        """Return every place of the words inside of a stretch that holds them all."""
        places = sorted((place, part) for part, (term, _) in enumerate(self.parts) for place in term.places(document))
        begins = [document.numbers[place >> SHIFT] for place, _ in places]
        ends = [document.numbers[(place >> SHIFT) + (place & SIZE) - 1] for place, _ in places]
        found: set[Place] = set()
        last = 0
        for number, begin in enumerate(begins):
            limit = begin + self.distance
            while last < len(places) and begins[last] <= limit:
                last += 1
            inside = [places[at] for at in range(number, last) if ends[at] <= limit]
            counted = Counter(part for _, part in inside)
            if all(counted[part] >= times for part, (_, times) in enumerate(self.parts)):
                found.update(place for place, _ in inside)
        return sorted(found) or None

    def requirements(self) -> list[Requirement]:
        """Return the sets of keys of which each must meet the document's."""
        return [required for term, _ in self.parts for required in term.requirements()]


@dataclass(frozen=True, slots=True)
class Combined:
    """All of the plans, or with `any_of` at least one."""

    plans: tuple[Plan, ...]
    any_of: bool


@dataclass(frozen=True, slots=True)
class Without:
    """What hits where the plan does not."""

    plan: Plan


Leaf = Term | Nearby | Stretch
Plan = Leaf | Combined | Without


def find(plan: Plan, document: Document, *, holds: bool = True) -> list[Place] | None:
    """Return the places of the terms that make `plan` hold (or fail, unless `holds`) in a document, or None.

    Terms that are not there, as they must not be, give no place.
    """
    if isinstance(plan, Combined):
        found: list[Place] = []
        met = False
        for inner in plan.plans:
            places = find(inner, document, holds=holds)
            if places is not None:
                met = True
                found += places
            elif plan.any_of is not holds:
                return None
        return found if met else None
    if isinstance(plan, Without):
        return find(plan.plan, document, holds=not holds)
    places = plan.find(document)
    return places if holds else [] if places is None else None


def requirements(plan: Plan, *, holds: bool = True) -> list[Requirement]:
    """Return the sets of keys of which each must meet a document's for `plan` to hold; none where it may be without."""
    if isinstance(plan, Without):
        return requirements(plan.plan, holds=not holds)
    if isinstance(plan, Combined):
        each = [requirements(inner, holds=holds) for inner in plan.plans]
        if plan.any_of is not holds:
            return [required for one in each for required in one]
        return [frozenset().union(*(_selective(one) for one in each))] if all(each) else []
    return plan.requirements() if holds else []


def compiled(node: Node, fields: Fields = EVERYWHERE) -> Plan:
    """Return the plan of a tree. Each query is compiled once and evaluated on every paper."""
    match node:
        case Within(field, inner):
            return compiled(inner, frozenset({FIELDS.index(field)}))
        case Not(inner):
            return Without(compiled(inner, fields))
        case And(nodes):
            return Combined(tuple(_side_by_side(nodes, fields)), any_of=False)
        case Or(nodes):
            return Combined(tuple(compiled(inner, fields) for inner in nodes), any_of=True)
        case Near(left, right, distance):
            return Nearby(tuple(_terms(left, fields)), tuple(_terms(right, fields)), distance)
        case Loose(text, distance):
            # Without their code, `Agents` and `agent` are one word that is asked for twice.
            counted = Counter(replace(_term(Words(part), fields), code="") for part in loose_words(text))
            return Stretch(tuple(counted.items()), distance)
        case _:
            return _term(node, fields)


def loose_words(text: str) -> list[str]:
    """Return the words of a loose phrase, cut at blanks; `fine-tuning` is one."""
    return [part for part in text.split() if tokens(part)]


def _term(node: Words | Prefix | Exact, fields: Fields) -> Term:
    found = tokens(node.text)
    if isinstance(node, Exact):
        # Written as it is: no join could be spelt so.
        single = tuple((Step(token.stem, token.sign, place + 1),) for place, token in enumerate(found))
        spelling = Spelling(node.text, found[0].start, len(node.text) - found[-1].end)
        return Term(Pattern(single), fields, code(node.text), exact=spelling)
    prefix = isinstance(node, Prefix)
    steps = tuple(
        tuple(
            Step(
                reading.word if prefix and last else reading.stem,
                found[place + reading.size - 1].sign,
                place + reading.size,
                prefix=prefix and last,
            )
            for reading in readings(found, place)
            for last in (place + reading.size == len(found),)
        )
        for place in range(len(found))
    )
    return Term(Pattern(steps), fields, code(node.text), prefix=prefix)


def _terms(node: Node, fields: Fields) -> Iterator[Term]:
    match node:
        case Within(field, inner):
            yield from _terms(inner, frozenset({FIELDS.index(field)}))
        case Or(nodes):
            for inner in nodes:
                yield from _terms(inner, fields)
        case Words() | Prefix() | Exact():
            yield _term(node, fields)


def _side_by_side(nodes: Sequence[Node], fields: Fields) -> Iterator[Plan]:
    """Yield the plans of a conjunction: `fine tuning` is also found where the two are written as one word."""
    joins = [_join(left, right) for left, right in pairwise(nodes)]
    for place, node in enumerate(nodes):
        plan = compiled(node, fields)
        beside = tuple(join for join in (*joins[place - 1 : place], *joins[place : place + 1]) if join is not None)
        yield Term(plan.pattern, plan.fields, plan.code, beside=beside) if isinstance(plan, Term) and beside else plan


def _join(left: Node, right: Node) -> Pattern | None:
    if not (isinstance(left, Words) and isinstance(right, Words)):
        return None
    first, second = tokens(left.text), tokens(right.text)
    if len(first) != 1 or len(second) != 1:
        return None
    pair = [first[0]._replace(border=Border.BLANK), second[0]]
    joined = [reading for reading in readings(pair, 0) if reading.size == len(pair)]
    return Pattern(((Step(joined[0].stem, second[0].sign, 1),),)) if joined else None


def _union(terms: tuple[Term, ...], document: Document) -> list[Place]:
    return sorted({place for term in terms for place in term.places(document)})


def _any_of(terms: tuple[Term, ...]) -> Requirement:
    return frozenset().union(*(_selective(term.requirements()) for term in terms))


def _selective(requirements: list[Requirement]) -> Requirement:
    # Long words are rare ones: a guess that needs no papers.
    return max(requirements, key=lambda required: min(map(len, required)))
