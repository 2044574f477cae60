"""A course without a picture gets a plate drawn from its slug."""

import xml.etree.ElementTree as ET

import pytest
from quart.typing import TestClientProtocol

from app.web import plates

SLUGS = ["reading-price", "drone-licence", "a", "", "résumé & <more>", *(f"course-{n}" for n in range(60))]


@pytest.mark.parametrize("slug", SLUGS)
def test_a_plate_has_the_two_layers_that_the_component_uses(slug: str) -> None:
    drawing = ET.fromstring(plates.draw(slug))
    names = [symbol.get("id") for symbol in drawing.iter("{http://www.w3.org/2000/svg}symbol")]
    assert names == ["line", "mark"]
    assert "nan" not in plates.draw(slug)
    assert "style" not in plates.draw(slug)


def test_the_same_slug_gives_the_same_plate_and_another_one_another() -> None:
    assert plates.draw("reading-price") == plates.draw("reading-price")
    assert len({plates.draw(slug) for slug in SLUGS}) == len(SLUGS)


async def test_a_plate_is_an_address_that_may_be_kept_for_ever(client: TestClientProtocol) -> None:
    answer = await client.get("/plates/drone-licence.svg")
    assert answer.status_code == 200
    assert answer.content_type == "image/svg+xml"
    assert "immutable" in answer.headers["Cache-Control"]
    assert await answer.get_data(as_text=True) == plates.draw("drone-licence")


def test_every_family_is_drawn_and_none_is_heavy() -> None:
    sizes = [len(plates.draw(slug)) for slug in SLUGS]
    assert max(sizes) < 16_000
    assert min(sizes) > 1_000
