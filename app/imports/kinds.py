"""The sorts of things that can be imported. A new one is a class like `People` and a line here."""

from app.imports.models import Kind
from app.imports.people import People

KINDS: dict[str, Kind] = {kind.key: kind for kind in (People(),)}
