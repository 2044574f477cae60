"""How many rows have what is searched for, as far as PostgreSQL's statistics know its commonest words.

Of a common word a page is met soon on a walk along the list, and of a rare one in the index of words; which it is, is not
known before. ANALYZE (autovacuum runs it) notes which words most rows have, and how many
(https://www.postgresql.org/docs/current/view-pg-stats.html); each process reads these once in ten minutes. Where rows hold
addresses without names, it notes the words without the digits at their end (migration 0068).
"""

import re
import time
from bisect import bisect_left
from dataclasses import dataclass
from itertools import takewhile
from math import prod

from app.core import db
from app.web.tables.conditions import chosen
from app.web.tables.declaration import Choices, Listing, Search
from app.web.tables.order import is_own_order
from app.web.tables.state import State
from app.web.tables.statements import COUNT_LIMIT, FOUND

_KEPT_SECONDS = 600
# A walk that passes a row costs about a third of finding one by the index of words and fetching it (measured).
_PASSED = 1 / 3


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of a column of words: about how many rows there are, which words very many of these have (sorted), and how many
    of a row each.
    """

    rows: float
    words: list[str]
    shares: list[float]

    def share(self, text: str) -> float:
        """Of how many of all rows each word of `text` begins one of the words, from 0 (not known to be many) to 1."""
        return prod(map(self._share, text.lower().split()))

    def _share(self, word: str) -> float:
        first = bisect_left(self.words, word)
        begun = takewhile(lambda n: self.words[n].startswith(word), range(first, len(self.words)))
        return min(1.0, sum(self.shares[n] for n in begun))


_known: dict[tuple[str, str], tuple[float, Statistics]] = {}


async def about(listing: Listing, state: State, choices: Choices | None) -> int:
    """About how many rows have what is searched for; 0 where that is not known, or where an index of words finds a page
    as soon.
    """
    searches = [item for item in listing.filters if isinstance(item, Search) and item.name in state.values]
    column = re.fullmatch(r"\w+\.(\w+)", searches[0].words) if len(searches) == 1 else None
    if column is None:
        return 0
    known = await statistics(listing.source.split()[0], column[1])
    share = known.share(state.values[searches[0].name])
    found = round(share * known.rows)
    others = chosen(listing, state, choices)
    if found <= COUNT_LIMIT or any(choice.has_words for choice in others):
        return 0
    if any(choice.rows for choice in others):
        return found  # more than are looked at, so that the others' rows decide
    if state.sort.of_names and not is_own_order(listing, state):
        return found  # only some of them are sorted, and none is walked to
    return found if _PASSED * listing.page_size / share <= min(found, FOUND) else 0


async def statistics(table: str, column: str) -> Statistics:
    """What this process knows of a column's words, at most ten minutes old."""
    kept = _known.get((table, column))
    if kept is None or kept[0] < time.monotonic() - _KEPT_SECONDS:
        kept = time.monotonic(), await _read(table, column)
        _known[table, column] = kept
    return kept[1]


async def _read(table: str, column: str) -> Statistics:
    found = await db.one(
        db.Row,
        """
        SELECT c.reltuples AS rows,
               coalesce(CAST(CAST(coalesce(e.most_common_elems, s.most_common_elems) AS text) AS text[]), '{}') AS words,
               coalesce(e.most_common_elem_freqs, s.most_common_elem_freqs, '{}') AS shares
        FROM pg_class c
        LEFT JOIN pg_stats s
             ON s.schemaname = current_schema() AND s.tablename = c.relname AND s.attname = :column AND NOT s.inherited
        LEFT JOIN pg_stats_ext_exprs e
             ON e.schemaname = current_schema() AND e.tablename = c.relname AND e.statistics_name = c.relname || '_stems'
             AND NOT e.inherited
        WHERE c.oid = to_regclass(:table)
        """,
        table=table,
        column=column,
    )
    if found is None:
        return Statistics(0, [], [])
    # Behind the shares of the words stand the least and the greatest of all.
    pairs = sorted(zip(found.words, found.shares, strict=False))
    return Statistics(found.rows, [word for word, _share in pairs], [share for _word, share in pairs])
