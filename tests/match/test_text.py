"""The text pipeline: cleaning, TeX, folding, tokens, joins, stems."""

from __future__ import annotations

import gc
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digestd.match.text import Border, clean, fold, plain, readings, stem, title_key, tokens


@pytest.mark.parametrize(
    ("foreign", "cleaned"),
    [
        ("  a\n\tb\r\nc  ", "a b c"),
        ("a\x00b\x07c\x7fd\x9be", "abcde"),
        ("a\x85b\u2028c\u00a0d", "a b c d"),
        ("a\ud800b\udfffc", "a\ufffdb\ufffdc"),
        ("a\u202eb\u2066c\u2069d\u200ee\u200f\u061cf", "abcdef"),
        ("\ufeffa\u200bb\u200c\u200d\u2060c\u00add", "abcd"),
        ("é  b", "é b"),
        ("é b", "é b"),
        ("e\u0301", "é"),
        ("x" + "\u0301" * 1000 + "y", "x" + "\u0301" * 4 + "y"),
        ("x" + ("\u0301" * 4 + "\u200b") * 10, "x" + "\u0301" * 4),
        ("x" + "\u0344" * 5, "ẍ" + "\u0301\u0308" * 2),
        ("e\u200b\u0301", "é"),
        ("👩🏽 ﷽ “x” – y", "👩🏽 ﷽ “x” – y"),
        ("", ""),
    ],
)
def test_clean_foreign_text_is_harmless(foreign: str, cleaned: str) -> None:
    assert clean(foreign) == cleaned


@given(st.text())
def test_clean_twice_is_clean_once(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in cleaned)


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        ("H$_2$O: Heavy-Hitter", "H2O: Heavy-Hitter"),
        (r"P\'aez P{\'a}ez P\'{a}ez {P\'{a}ez}", "Páez Páez Páez Páez"),
        (r"Fr\'ed\'eric D\k{a}browski Schr\"odinger", "Frédéric Dąbrowski Schrödinger"),
        (r"\`a \^o \~n \=u \.z \c{c} \v{s} \v s \u{g} \H{o} \r{a} \d{h} \b{o}", "à ô ñ ū ż ç š š ğ ő å ḥ o̱"),
        (r"na\"{\i}ve f\'\i n", "naïve fín"),
        (r"S\o ren, Stra\ss{}e, \AA ngstr\"om, \L{}ukasz, {\ae}", "Søren, Straße, Ångström, Łukasz, æ"),
        (r"$\alpha$ particle and $\beta\to\infty$", "α particle and β→∞"),
        (r"8$\times$80GB, $\sim$10, $\pm 2$, $\leq$5", "8×80GB, ~10, ± 2, ≤5"),
        (r"\framework enables \products.", "framework enables products."),
        (r"GPT\framework and \ours{} is \foo{bar}", "GPT framework and ours is foo bar"),
        (r"\emph{x} \textit{a b} {\em ii)} it's {\bf bold} $\mathrm{d}\mathcal{L}$", "x a b ii) it's bold dL"),
        ("$5 and $10", "$5 and $10"),
        ("$5-$10, $7.", "$5-$10, $7."),
        (r"over \$16.9B of $x_1$", "over $16.9B of x1"),
        ("cost $5, and $x$.", "cost $5, and x."),
        ("0.5$-$10 keV, a $$ x_1 $$ b, $$$5", "0.5-10 keV, a x1 b, $$$5"),
        ("a $ b $ c, 100$", "a $ b $ c, 100$"),
        (r"$$x_1+y$$ \(a_1\) \[b^2\] \) \( x", "x1+y a1 b^2 x"),
        (r"$10^{-3}$, 10$^{th}$, Ca$^{2+}$, $^{13}$C, $(a)^2$", "10^-3, 10th, Ca2+, 13C, (a)^2"),
        ("snake_case x^2", "snake_case x^2"),
        (
            "Figure~1, Doe et al.~$x$ and ~16k of http://a.b/~user",
            "Figure 1, Doe et al. x and ~16k of http://a.b/~user",
        ),
        (r"3\% A\&B a\_b \{x\} \#1 \~{} a\\b\,c\!d", "3% A&B a_b {x} #1 ~ a b cd"),
        ("code: {https://github.com/x_y}.", "code: https://github.com/x_y."),
        ("the library{https://a.org/x} and a demohttp://b.org", "the library https://a.org/x and a demo http://b.org"),
        (r"\href{http://x.y}{here}, \url{http://x.y/a_b}, \href{u}{u}", "here (http://x.y), http://x.y/a_b, u"),
        (r"see\cite{foo, bar} \ref{x}\begin{itemize}\item one\end{itemize}", "see one"),
        (r"$\frac{a}{b}$ \sqrt{2}", "a/b √2"),
        ("``quoted'' and it's", "“quoted” and it's"),
        ("it''s {a} -- b --- c", "it''s a -- b --- c"),
        ("$x_1$, then $5-$10", "x1, then $5-$10"),
        ("ToolChain* CodeT5+ C++ C# a+b 50%", "ToolChain* CodeT5+ C++ C# a+b 50%"),
        ("\\", ""),
        ("a  b ", "a b"),
        ("snake_case in $x_2$", "snake_case in x2"),
        ("``quoted'' $x_2$ and ``more''", "“quoted” x2 and “more”"),
        ("``a'' and $x''$", "“a” and x”"),
        ("$1_2$3", "123"),
        ("a_b $1_2$3", "a_b 123"),
        (r"\X_1 a\) b_2", "X_1 a b_2"),
        (r"\(a_1 \X b_2\)", "a1 X b2"),
        (r"the (\foo) tool, f(\foo)", "the (foo) tool, f(foo)"),
        (r"a\(b, a\1", "ab, a1"),
        ("${b}^2$", "b^2"),
    ],
)
def test_plain_tex_is_read_as_text(tex: str, text: str) -> None:
    assert plain(tex) == text


@pytest.mark.parametrize(
    "hostile",
    ["{", "\\", "$", "$a", "~", "a~", "`", "\\'", "\\' ", "$x_", "\\(", r"\frac{", r"\frac{a}", r"\href{", r"\href{a}",
     r"\cite{", r"\cite[", r"\a", "\\'{", "^", "{}", "a\u0301", "\u0315\u0301", "- ", "+", "C++ "],
)  # fmt: skip
def test_pipeline_on_hostile_text_takes_linear_time(hostile: str) -> None:
    # Four times as much text; sixteen times as long would be quadratic. The larger floor hides the clock's noise.
    small, large = (_seconds(hostile * count) for count in (10_000, 40_000))
    assert large < 8 * max(small, 0.03)


def _seconds(text: str) -> float:
    gc.disable()  # a collection in one run and none in the other is not the text's doing
    try:
        begin = time.process_time()
        tokens(plain(clean(text)))
        return time.process_time() - begin
    finally:
        gc.enable()


def test_plain_abstract_of_five_megabytes_is_read() -> None:
    text = "an abstract that somebody pasted a whole book into " * 2
    assert len(plain((text + "$x_1$ {f} ") * 48_000)) == len(text + "x1 f ") * 48_000 - 1


@given(st.text(alphabet="ab{}$\\~^_'`\"%&1 éc", max_size=60))
def test_plain_arbitrary_tex_has_no_doubled_blanks(text: str) -> None:
    read = plain(text)
    assert read == " ".join(read.split())
    assert clean(plain(clean(text))) == plain(clean(text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"H$_2$O: Heavy-Hitter  Oracle", "h2o heavy hitter oracle"),
        (r"On P\'aez", "ON PAEZ"),
        ("Straße", "STRASSE"),
        ("The Ångström Œuvre Ł", "the angstrom oeuvre l"),
        ("ﬁne-tuning", "Fine Tuning!"),
    ],
)
def test_title_key_of_two_spellings_is_one(one: str, other: str) -> None:
    assert title_key(one) == title_key(other) != ""


def test_title_key_of_signs_is_empty() -> None:
    assert title_key("?! $") == ""
    assert title_key(r"\emph{Agents}") == "agents"
    assert title_key("Part 1") != title_key("Part 2")


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("AbC", "abc"), ("Páez", "paez"), ("Straße", "strasse"), ("İstanbul ı I", "istanbul i i"), ("ﬁne", "fine"),
        ("Ωμέγα Σίσυφος", "ωμεγα σισυφοσ"), ("Ёлка й", "елка и"), ("H₂O ²", "h2o 2"), ("ＧＰＴ４", "gpt4"),
        ("Ærø Đ þ œ Łódź", "aero d th oe lodz"), ("٣", "3"), ("שָׁלוֹם", "שלום"),
    ],
)  # fmt: skip
def test_fold_letters_lose_case_and_accents(text: str, folded: str) -> None:
    assert fold(text)[0] == folded


@given(st.text(max_size=30))
def test_fold_origins_lead_back_to_the_text(text: str) -> None:
    folded, origins = fold(text)
    assert len(origins) == len(folded) + 1
    assert list(origins) == sorted(origins)
    assert origins[-1] == len(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("don't stop-it", ["don", "t", "stop", "it"]),
        ("GPT4o-mini", ["gpt", "4", "o", "mini"]),
        ("1,000 snake_case", ["1", "000", "snake", "case"]),
        ("大型 x模", ["大", "型", "x", "模"]),
        ("ガ・カ", ["カ", "\u3099", "カ"]),
        ("½ R²", ["1", "2", "r", "2"]),
        ("?!", []),
    ],
)
def test_tokens_are_runs_of_letters_or_digits(text: str, words: list[str]) -> None:
    assert [token.word for token in tokens(text)] == words


@pytest.mark.parametrize(
    ("text", "signs"),
    [("C++", ["++"]), ("C#", ["#"]), ("CodeT5+", ["", "+"]), ("C++20", ["++", ""]), ("a+b", ["", ""]),
     ("5+ x", ["+", ""]),
     ("C+++", ["+++"]), ("F#m", ["", ""])],
)  # fmt: skip
def test_tokens_keep_the_signs_of_languages(text: str, signs: list[str]) -> None:
    assert [token.sign for token in tokens(text)] == signs


@given(st.text(alphabet="abC1 -+#.éßﬁ½語'İ\u0301", max_size=30))
def test_tokens_offsets_give_the_word_back(text: str) -> None:
    end = 0
    for token in tokens(text, 7):
        assert end <= token.start - 7 < token.end - 7 <= len(text) or text[token.start - 7] in "½ﬁß"
        written = text[token.start - 7 : token.end - 7]
        assert token.word in fold(written)[0]
        end = token.end - 7


@pytest.mark.parametrize(
    ("text", "border"),
    [("fine-tuning", Border.HYPHEN), ("fine\u2010tuning", Border.HYPHEN), ("fine- tuning", Border.HYPHEN),
     ("o'neil", Border.HYPHEN), ("fine tuning", Border.BLANK), ("fine - tuning", Border.OTHER),
     ("fine, x", Border.OTHER), ("fine-.tuning", Border.OTHER),
     ("T5", Border.GLUED), ("语x", Border.OTHER), ("x语", Border.OTHER), ("C++ x", Border.BLANK)],
)  # fmt: skip
def test_tokens_border_is_what_stands_between(text: str, border: Border) -> None:
    assert tokens(text)[0].border is border


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fine-tuning", ["fine", "finetuning"]),
        ("fine tuning set up", ["fine", "finetuning", "finetuningset"]),
        ("in finite", ["in"]),
        ("in-finite time", ["in", "infinite", "infinitetime"]),
        ("fine, tuning", ["fine"]),
        ("GPT-4", ["gpt"]),
        ("4 models", ["4"]),
        ("C++ model", ["c"]),
        ("state of art", ["state", "stateof"]),
    ],
)
def test_readings_join_what_may_be_one_word(text: str, words: list[str]) -> None:
    assert [reading.word for reading in readings(tokens(text), 0)] == words


@pytest.mark.parametrize(
    ("one", "other"),
    [("llms", "llm"), ("vlms", "vlm"), ("gpus", "gpu"), ("pdes", "pde"), ("apis", "api"), ("vqas", "vqa"),
     ("models", "model"),
     ("tuned", "tuning"), ("viruses", "virus")],
)  # fmt: skip
def test_stem_of_singular_and_plural_is_one(one: str, other: str) -> None:
    assert stem(one) == stem(other)


@pytest.mark.parametrize(
    ("one", "other"), [("gas", "ga"), ("cms", "cm"), ("bus", "bu"), ("gps", "gp"), ("cross", "cros")]
)
def test_stem_of_words_that_only_end_in_s_differs(one: str, other: str) -> None:
    assert stem(one) != stem(other)


@pytest.mark.parametrize(
    ("written", "root"), [("AIs", "ai"), ("GPs", "gp"), ("ECUs", "ecu"), ("LLMS", "llm"), ("GPS", "gps")]
)
def test_tokens_capitals_with_a_small_s_are_a_plural(written: str, root: str) -> None:
    assert tokens(written)[0].stem == root


def test_stem_of_an_endless_word_is_itself() -> None:
    assert stem("models" * 1000) == "models" * 1000


@given(st.text() | st.text("aÄ\u0308\u0323\u200b\u00a0 \t$\\{}-", max_size=30))
def test_clean_and_title_key_of_plain_text_are_what_they_are_of_any(text: str) -> None:
    """Text without oddities takes a shorter way."""
    assert clean(text) == clean("\x00" + text) == clean(clean(text))
    assert title_key(text) == title_key(text + "\u00ad") == "".join(filter(str.isalnum, fold(plain(clean(text)))[0]))


@pytest.mark.parametrize(
    ("written", "stemmed"), [("Us", "us"), ("Gas", "gas"), ("AIs", "ai"), ("GPs", "gp"), ("As", "as")]
)
def test_token_of_capitals_with_a_small_s_is_a_plural(written: str, stemmed: str) -> None:
    assert [token.stem for token in tokens(written)] == [stemmed]


@pytest.mark.parametrize(
    ("foreign", "cleaned"),
    [("a  b   c", "a b c"), ("🎉" * 6, "🎉" * 6), ("🎉" + "\u0301" * 6, "🎉" + "\u0301" * 4)],
)
def test_clean_takes_blanks_and_piled_marks_and_leaves_signs(foreign: str, cleaned: str) -> None:
    assert clean(foreign) == cleaned


def test_title_key_is_letters_and_digits_alone() -> None:
    assert title_key("Deep-Learning, 2!") == "deeplearning2"
