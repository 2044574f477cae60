"""Jinja, quickened through its own hooks: the language stays the same, each `{{ … }}` and each call costs less.

Rendering is most of a page's time. The figures are microseconds on the machine of docs/performance.md, Jinja's own first.
"""

from collections.abc import Callable, MutableMapping
from functools import lru_cache
from types import FunctionType, MethodType
from typing import Any

import jinja2
from jinja2.compiler import CodeGenerator, Frame
from jinja2.nodes import EvalContext, Expr
from jinja2.runtime import Context, Macro, Undefined
from jinja2.utils import missing
from markupsafe import Markup, _escape_inner, escape  # type: ignore[attr-defined]

from app.core import i18n

# Compiled templates are kept between starts; those of another Compiler are not ours.
KEPT_AS = "__lectern_1_%s.cache"


def text(value: Any) -> str:
    """What `{{ value }}` writes. It is joined at once, so it need not be Markup: 0.4 → 0.1."""
    kind = type(value)
    if kind is str:
        return _escape_inner(value)
    if kind is Markup:
        return value  # type: ignore[no-any-return]
    if kind is int or kind is float:
        return str(value)
    # `{{ "x" if y }}` without its else
    return "" if kind is Undefined else escape(value)


class Compiler(CodeGenerator):
    """Writes templates that escape with `text`."""

    def _output_child_pre(self, node: Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:
        if frame.eval_ctx.volatile or not frame.eval_ctx.autoescape or finalize.src is not None:
            super()._output_child_pre(node, frame, finalize)
        else:
            self.write("environment.text(")


_MISSING = (missing,) * 50
_EVAL_CONTEXT = jinja2.pass_eval_context(lambda: None).jinja_pass_arg  # type: ignore[attr-defined]


class KeptMacro:
    """A macro whose markup follows from its arguments, the school and the language alone: each is drawn once.

    `surroundings` gives what else it depends on; the markup is forgotten when that is another object.
    """

    __slots__ = ("_drawn", "_macro", "_surroundings", "_within")
    _MOST = 2000

    def __init__(self, macro: Macro, surroundings: Callable[[], object]) -> None:
        self._macro = macro
        self._surroundings = surroundings
        self._within: tuple[object, str] = (None, "")
        self._drawn: dict[Any, str] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        school, language = self._surroundings(), i18n.locale()
        if self._within[0] is not school or self._within[1] != language:
            self._within = (school, language)
            self._drawn = {}
        # Equal is not alike: 1 == True, and markup equals the text that has yet to be escaped.
        key = (args, *map(_kind, args), *kwargs, *kwargs.values(), *map(_kind, kwargs.values()))
        try:
            found = self._drawn.get(key)
        except TypeError:  # a list or mapping among the arguments
            return self._macro(*args, **kwargs)
        if found is None:
            if len(self._drawn) >= self._MOST:
                self._drawn.clear()
            found = self._drawn[key] = self._macro(*args, **kwargs)
        return found


def _kind(argument: Any) -> Any:
    kind = type(argument)
    return tuple(map(_kind, argument)) if kind is tuple else kind


class QuickContext(Context):
    """Calls macros (3.7 → 1.3) and functions (1.5 → 0.4) without asking first what else they might be."""

    def call(self, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call what a template calls."""
        kind = type(obj)
        if kind is KeptMacro and self.eval_ctx.autoescape:
            kwargs.pop("_loop_vars", None)
            kwargs.pop("_block_vars", None)
            return obj(*args, **kwargs)
        if kind is Macro:
            kwargs.pop("_loop_vars", None)
            kwargs.pop("_block_vars", None)
            left = obj._argument_count - len(args)
            if (
                kwargs
                or left < 0
                or obj.caller
                or obj.catch_kwargs
                or obj.catch_varargs
                or not self.eval_ctx.autoescape
            ):
                return obj(self.eval_ctx, *args, **kwargs)
            # Only arguments by place: what Macro.__call__ would come to. `Markup(…)` itself takes half a microsecond.
            return str.__new__(Markup, obj._func(*args, *_MISSING[:left]))
        passed = getattr(obj, "jinja_pass_arg", None) if kind is FunctionType or kind is MethodType else self
        if passed is _EVAL_CONTEXT:
            args = (self.eval_ctx, *args)
        elif passed is not None:
            return super().call(obj, *args, **kwargs)
        kwargs.pop("_loop_vars", None)
        kwargs.pop("_block_vars", None)
        return obj(*args, **kwargs)


@jinja2.pass_eval_context
def gettext(eval_ctx: EvalContext, message: str, **values: object) -> str:
    """`_("…")` of templates, whose values are escaped: 4 → 1."""
    found = _marked_up(message, i18n.locale()) if eval_ctx.autoescape else i18n.gettext(message)
    return found % values if values or "%" in found else found


@jinja2.pass_eval_context
def ngettext(eval_ctx: EvalContext, singular: str, plural: str, num: int, **values: object) -> str:
    """`ngettext("%(num)s …", "… ", n)` of templates: 6 → 1.5."""
    found: str = i18n.ngettext_unfilled(singular, plural, num)
    values.setdefault("num", num)
    return (Markup(found) if eval_ctx.autoescape else found) % values  # noqa: S704 (our own words)


@lru_cache(maxsize=4096)
def _marked_up(message: str, locale: str) -> Markup:
    return Markup(i18n.gettext(message))  # noqa: S704 (our own words)


class Environment(jinja2.Environment):
    """The environment of all templates."""

    code_generator_class = Compiler
    context_class = QuickContext
    text = staticmethod(text)

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """The names that every template knows. Jinja's own chain of mappings is copied at each page: 40 → 2."""
        return {**self.globals, **d} if d else self.globals
