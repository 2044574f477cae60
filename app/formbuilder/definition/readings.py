"""Stored definitions, read: each once a process while it stays in use, and a clear end for one that cannot be read.

A version that was published never changes, one that is being built may for a minute; so a reading holds for what it was made of,
which is compared (some microseconds) and not trusted to be the same.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import structlog

from app.core import i18n
from app.core.errors import Refused
from app.core.i18n import _
from app.formbuilder.definition import definitions
from app.formbuilder.definition.definitions import Malformed
from app.formbuilder.models import Definition, Form

log = structlog.get_logger()

# Forms have some ten to a hundred kilobytes in memory.
MOST_KEPT = 128
# By version and language (a form without a name is called so in words of ours): what was read, and what it became.
_kept: OrderedDict[tuple[int, str], tuple[Any, Definition]] = OrderedDict()


class Unreadable(Refused):
    """A stored definition that this Lectern cannot read: of a newer one, or with a kind of field that is gone."""

    status = 410

    def __init__(self, form: Form, why: str) -> None:
        super().__init__(_("The school has to look after this form. Please come back later."))
        self.form = form
        self.why = why


def of(form: Form) -> Definition:
    """The definition of a form in the version that it was asked for. Raises Unreadable, and logs it."""
    key = (form.version_id, i18n.locale())
    kept = _kept.get(key)
    if kept is not None and kept[0] == form.definition:
        _kept.move_to_end(key)
        return kept[1]
    try:
        read = definitions.read(form.definition)
    except Malformed as error:
        log.error("a form cannot be read", form=form.public_id, version=form.number, why=str(error))
        raise Unreadable(form, str(error)) from error
    _kept[key] = (form.definition, read)
    _kept.move_to_end(key)
    while len(_kept) > MOST_KEPT:
        _kept.popitem(last=False)
    return read


def soundly(stored: Any) -> Definition | None:
    """A definition from JSON, or None (and a line in the log) for one that cannot be read: for who looks at many."""
    try:
        return definitions.read(stored)
    except Malformed as error:
        title = stored.get("title") if isinstance(stored, Mapping) else None
        log.error("a form cannot be read", title=str(title)[:80], why=str(error))
        return None
