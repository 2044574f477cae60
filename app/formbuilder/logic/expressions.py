"""Expressions of calculations: `{q1} * 12 + if({q2} = "yes", 5, 0)`. Text becomes a tree; trees.py evaluates it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from app.core.i18n import _
from app.formbuilder.logic.trees import (
    MAX_DEPTH,
    MAX_SIZE,
    NUMBER,
    ExpressionError,
    Tree,
    evaluate,
    height,
    names,
    neat,
    walk,
)

__all__ = ["ExpressionError", "Tree", "evaluate", "names", "parse"]

MAX_LENGTH = 2_000
MAX_NESTING = 30
NAME = r"[a-z][a-z0-9_]{0,39}(?:\.[a-z0-9_]{1,40})?"
_TOKEN = re.compile(
    rf"""(?P<number>[0-9]+(?:\.[0-9]+)?)|"(?P<text>(?:[^"\\]|\\["\\])*)"|\{{\s*(?P<name>{NAME})\s*\}}"""
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_.]*)|(?P<sign><=|>=|<>|!=|==|[-+*/%=<>(),])"
)
_SPACE = re.compile(r"[ \t\r\n\xa0]*")
_COMPARISONS = {"=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
ENDLESS = 1_000
# Function: the least and the most it takes.
FUNCTIONS = {
    "if": (3, 3),
    "sum": (1, ENDLESS),
    "min": (1, ENDLESS),
    "max": (1, ENDLESS),
    "round": (1, 2),
    "floor": (1, 1),
    "ceil": (1, 1),
    "abs": (1, 1),
    "count": (1, ENDLESS),
    "length": (1, 1),
    "concat": (1, ENDLESS),
    "days_between": (2, 2),
    "points": (1, 1),
    "price": (1, 1),
    "today": (0, 0),
}


def parse(text: str) -> Tree:
    """The tree of an expression. Raises ExpressionError."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(_("A calculation has at most %(n)s characters.", n=MAX_LENGTH), MAX_LENGTH)
    reader = _Reader(text)
    tree = reader.either(0)
    if reader.here.kind:
        raise ExpressionError(_("“%(found)s” is not expected here.", found=reader.here.text), reader.here.position)
    if sum(1 for _each in walk(tree)) > MAX_SIZE or height(tree) > MAX_DEPTH:
        raise ExpressionError(_("This calculation is too long: split it in two."), 0)
    return tree


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


class _Reader:
    """Reads by descent, one method a level of binding."""

    def __init__(self, text: str) -> None:
        self.tokens = list(_tokens(text))
        self.at = 0

    @property
    def here(self) -> _Token:
        return self.tokens[self.at]

    def take(self, kind: str, *wanted: str) -> _Token | None:
        here = self.here
        if here.kind != kind or here.text not in wanted:
            return None
        self.at += 1
        return here

    def need(self, sign: str) -> None:
        if not self.take("sign", sign):
            raise ExpressionError(_("A “%(sign)s” is missing here.", sign=sign), self.here.position)

    def deeper(self, depth: int) -> int:
        if depth >= MAX_NESTING:
            raise ExpressionError(_("This is nested too deep: split it in two."), self.here.position)
        return depth + 1

    def either(self, depth: int) -> Tree:
        return self.chain("or", self.both, depth)

    def both(self, depth: int) -> Tree:
        return self.chain("and", self.denial, depth)

    def chain(self, word: str, part: Callable[[int], Tree], depth: int) -> Tree:
        parts = [part(depth)]
        while self.take("word", word):
            parts.append(part(depth))
        return parts[0] if len(parts) == 1 else [word, *parts]

    def denial(self, depth: int) -> Tree:
        if self.take("word", "not"):
            return ["not", self.denial(self.deeper(depth))]
        left = self.sum(depth)
        sign = self.take("sign", *_COMPARISONS)
        if not sign:
            return left
        tree: Tree = [_COMPARISONS[sign.text], left, self.sum(depth)]
        if self.here.kind == "sign" and self.here.text in _COMPARISONS:
            raise ExpressionError(_("Compare two things at a time, and join them with “and”."), self.here.position)
        return tree

    def sum(self, depth: int) -> Tree:
        parts = [self.product(depth)]
        while sign := self.take("sign", "+", "-"):
            part = self.product(depth)
            parts.append(part if sign.text == "+" else ["neg", part])
        return parts[0] if len(parts) == 1 else ["+", *parts]

    def product(self, depth: int) -> Tree:
        tree = self.signed(depth)
        while sign := self.take("sign", "*", "/", "%"):
            part = self.signed(depth)
            if isinstance(tree, list) and tree[0] == sign.text == "*":
                tree.append(part)
            else:
                tree = [sign.text, tree, part]
        return tree

    def signed(self, depth: int) -> Tree:
        if self.take("sign", "-"):
            return ["neg", self.signed(self.deeper(depth))]
        return self.atom(self.deeper(depth))

    def atom(self, depth: int) -> Tree:
        here = self.here
        self.at += 1
        if here.kind == "number":
            if not NUMBER.fullmatch(here.text):
                raise ExpressionError(_("A number has at most 15 digits before and after its point."), here.position)
            return neat(float(here.text))
        if here.kind == "text":
            return here.text
        if here.kind == "name":
            return ["v", here.text]
        if here.kind == "word" and here.text not in ("and", "or", "not"):
            return self.call(here, depth)
        if here.kind == "sign" and here.text == "(":
            tree = self.either(depth)
            self.need(")")
            return tree
        if not here.kind:
            raise ExpressionError(_("Something is missing at the end."), here.position)
        raise ExpressionError(_("“%(found)s” is not expected here.", found=here.text), here.position)

    def call(self, here: _Token, depth: int) -> Tree:
        if here.text not in FUNCTIONS:
            said = _("“%(word)s” is not known. Fields stand in braces, text in quotes.", word=here.text)
            raise ExpressionError(said, here.position)
        self.need("(")
        if here.text in ("points", "price"):
            named = self.here
            self.at += 1
            if named.kind not in ("name", "word") or not re.fullmatch(NAME, named.text):
                raise ExpressionError(_("“%(word)s” needs the name of a field.", word=here.text), named.position)
            self.need(")")
            return [here.text, named.text]
        given: list[Tree] = []
        if not self.take("sign", ")"):
            given.append(self.either(depth))
            while self.take("sign", ","):
                given.append(self.either(depth))
            self.need(")")
        least, most = FUNCTIONS[here.text]
        if not least <= len(given) <= most:
            raise ExpressionError(_miscounted(here.text, least, most), here.position)
        return [here.text, *given]


def _miscounted(word: str, least: int, most: int) -> str:
    if most == ENDLESS:
        return _("“%(word)s” takes at least %(least)s value, with commas between.", word=word, least=least)
    if least == most:
        return _("“%(word)s” takes %(n)s values, with commas between.", word=word, n=least)
    return _("“%(word)s” takes %(least)s to %(most)s values.", word=word, least=least, most=most)


def _tokens(text: str) -> Iterator[_Token]:
    at = _end_of_space(text, 0)
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            raise ExpressionError(_("“%(found)s” is not expected here.", found=text[at]), at)
        kind = str(found.lastgroup)
        value = found[kind]
        if kind == "text":
            value = re.sub(r"\\(.)", r"\1", value)
        if kind == "word" and value.lower() in (*FUNCTIONS, "and", "or", "not"):
            value = value.lower()
        yield _Token(kind, value, at)
        at = _end_of_space(text, found.end())
    yield _Token("", "", len(text))


def _end_of_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
