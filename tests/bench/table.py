"""The report: one table for the terminal, the same as JSON, and what changed since an older one."""

from __future__ import annotations

from dataclasses import asdict
from statistics import median
from typing import Any

from tests.bench.measuring import Result, middle

_HEAD = ("page", "queries", "HTML kB", "wire kB", "1: req/s", "p50 ms", "p99 ms", "32: req/s", "p50 ms", "p99 ms")
_HEAD += ("÷ hello", "÷ list", "÷ by hand", "failed")
# A change must be larger than this, and than the spread of the passes, to be more than noise.
NOISE = 0.15


def summary(result: Result) -> dict[str, Any]:
    """A row in plain figures: medians over the passes."""
    one, many = middle(result.at_one), middle(result.at_many)
    return {
        "page": result.name,
        "title": result.title,
        "queries": result.queries,
        "html_bytes": result.html,
        "wire_bytes": result.wire,
        "at_1": {"rate": one.rate, "p50": one.p50, "p99": one.p99},
        "at_32": {"rate": many.rate, "p50": many.p50, "p99": many.p99},
        "to_hello": median(result.to_hello),
        "to_list": median(result.to_list),
        "to_hand": median(result.to_hand) if result.to_hand else None,
        "spread": _spread([each.rate for each in result.at_many]),
        "failed": result.failures,
        "passes": [asdict(each) for each in result.at_many],
    }


def _spread(rates: list[float]) -> float:
    """How far apart the passes are, as a share of their median."""
    return (max(rates) - min(rates)) / median(rates) if rates and median(rates) else 0.0


def drawn(rows: list[dict[str, Any]]) -> str:
    """The table, in Markdown that is readable as it stands."""
    cells = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEAD))]
    lines = ["| " + " | ".join(_aligned(line, widths)) + " |" for line in cells]
    rule = "|".join("-" * (width + 1) + ("-" if number == 0 else ":") for number, width in enumerate(widths))
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])


def _aligned(line: tuple[str, ...], widths: list[int]) -> list[str]:
    return [
        text.ljust(width) if number == 0 else text.rjust(width)
        for number, (text, width) in enumerate(zip(line, widths, strict=True))
    ]


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    one, many = row["at_1"], row["at_32"]
    hand = row["to_hand"]
    return (
        row["title"],
        "-" if row["queries"] is None else str(row["queries"]),
        f"{row['html_bytes'] / 1000:.1f}",
        f"{row['wire_bytes'] / 1000:.1f}",
        f"{one['rate']:.0f}",
        _ms(one["p50"]),
        _ms(one["p99"]),
        f"{many['rate']:.0f}",
        _ms(many["p50"]),
        _ms(many["p99"]),
        f"{row['to_hello']:.2f}",
        f"{row['to_list']:.2f}",
        "" if hand is None else f"{hand:.2f}",
        str(row["failed"]) if row["failed"] else "",
    )


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.2f}" if milliseconds < 10 else f"{milliseconds:.0f}"


def compared(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """A sentence for each figure that moved by more than noise. Ratios to the reference are compared, since they
    move little with the machine's mood; a row that the older report lacks is left out."""
    before = {row["page"]: row for row in old["pages"]}
    sentences = []
    for row in new["pages"]:
        was = before.get(row["page"])
        if was is None:
            continue
        noise = max(NOISE, row["spread"], was["spread"])
        for name, words in (("to_hello", "to hello"), ("to_hand", "to the page by hand")):
            if row[name] and was[name] and abs(row[name] / was[name] - 1) > noise:
                verb = "faster" if row[name] > was[name] else "SLOWER"
                sentences.append(f"{row['title']}: {verb}, ratio {words} {was[name]:.2f} → {row[name]:.2f}")
        if row["queries"] != was["queries"]:
            sentences.append(f"{row['title']}: {was['queries']} → {row['queries']} queries")
        if abs(row["wire_bytes"] - was["wire_bytes"]) > 0.05 * was["wire_bytes"]:
            sentences.append(f"{row['title']}: {was['wire_bytes']} → {row['wire_bytes']} bytes on the wire")
    return sentences
