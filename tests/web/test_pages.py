import pytest
from quart.typing import TestClientProtocol

from tests.cast import Cast


async def test_an_unknown_address_draws_a_page_that_says_so(client: TestClientProtocol) -> None:
    answer = await client.get("/nowhere")
    body = await answer.get_data(as_text=True)
    assert answer.status_code == 404
    assert "There is no page at this address" in body
    assert "Meridian" in body


async def test_htmx_gets_a_notice_instead_of_a_page(client: TestClientProtocol) -> None:
    answer = await client.get("/nowhere", headers={"HX-Request": "true", "HX-Target": "div#list"})
    body = await answer.get_data(as_text=True)
    assert answer.status_code == 404
    assert answer.headers["HX-Retarget"] == "#notices"
    assert "<html" not in body


async def test_every_answer_carries_the_security_headers(client: TestClientProtocol) -> None:
    for path in ("/health/live", "/nowhere"):
        answer = await client.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_readiness_says_what_answers(client: TestClientProtocol) -> None:
    answer = await client.get("/health/ready")
    assert answer.status_code == 200
    assert await answer.get_json() == {"status": "ok", "database": "ok", "redis": "ok"}


async def test_a_file_is_served_compressed_under_its_fingerprint(client: TestClientProtocol) -> None:
    page = await (await client.get("/nowhere")).get_data(as_text=True)
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    answer = await client.get(address, headers={"Accept-Encoding": "br"})
    assert answer.status_code == 200
    assert answer.headers["Content-Encoding"] == "br"
    assert "immutable" in answer.headers["Cache-Control"]
    again = await client.get(address, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


async def test_a_page_travels_compressed_to_those_who_take_it(client: TestClientProtocol) -> None:
    plain = await client.get("/nowhere", headers={"Accept-Encoding": "identity"})
    packed = await client.get("/nowhere", headers={"Accept-Encoding": "br, gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "br"
    assert len(await packed.get_data(as_text=False)) < len(await plain.get_data(as_text=False)) / 2
    assert "Accept-Encoding" in packed.headers["Vary"]
    gzipped = await client.get("/nowhere", headers={"Accept-Encoding": "gzip, br;q=0"})
    assert gzipped.headers["Content-Encoding"] == "gzip"


async def test_an_error_in_the_office_is_a_page_of_the_school_for_those_outside(
    client: TestClientProtocol, cast: Cast
) -> None:
    ann, rob = await cast.ann(), await cast.rob()
    for browser, in_office in ((client, False), (ann.browser, False), (rob.browser, True)):
        body = await (await browser.get("/admin/nowhere")).get_data(as_text=True)
        assert "There is no page at this address" in body
        assert ("office__side" in body) is in_office


@pytest.mark.parametrize(
    ("address", "above"),
    [
        ("/account/profile", "/account"),
        ("/account/sessions/removal", "/account/sessions"),
        ("/cart/items/reading-price/removal", "/cart"),
        ("/login/google", "/login"),
        ("/learn/a%20course/caf%C3%A9/completion", "/learn/a%20course/caf%C3%A9"),
    ],
)
async def test_the_address_of_a_form_opened_as_a_page_leads_to_the_page_that_holds_it(
    client: TestClientProtocol, address: str, above: str
) -> None:
    answer = await client.get(address)
    assert (answer.status_code, answer.headers["Location"]) == (303, above)
    assert (await client.get(address, headers={"HX-Request": "true"})).status_code == 405


@pytest.mark.parametrize("address", ["/logout", "/password/strength", "/webhooks/stripe"])
async def test_one_without_a_page_above_says_that_it_takes_no_such_request(
    client: TestClientProtocol, address: str
) -> None:
    answer = await client.get(address)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "OPTIONS, POST")
