from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st
from quart.typing import TestClientProtocol

from app.web import plates, render


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=60))
def test_every_name_has_one_plate_with_both_layers(name: str) -> None:
    plates.draw.cache_clear()
    drawn = plates.draw(name)
    plates.draw.cache_clear()
    assert plates.draw(name) == drawn
    symbols = ElementTree.fromstring(drawn)
    assert [(symbol.get("id"), len(symbol) > 0) for symbol in symbols] == [("line", True), ("mark", True)]
    assert len(drawn) < 30_000


async def test_a_thing_without_a_drawn_plate_gets_one_from_its_name(client: TestClientProtocol) -> None:
    ui = render._environment_or_fail().globals["ui"]
    assert '/art/no-such-course.svg#line"' in ui.plate("no-such-course")  # type: ignore[attr-defined]
    assert "/static/art/reading-price." in ui.plate("reading-price")  # type: ignore[attr-defined]
    answer = await client.get("/art/no-such-course.svg")
    assert answer.headers["Content-Type"] == "image/svg+xml; charset=utf-8"
    assert (await client.get("/art/" + "x" * 200 + ".svg")).status_code == 404
