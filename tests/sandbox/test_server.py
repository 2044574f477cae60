"""The local services on one port."""

from __future__ import annotations

from pathlib import Path

import pytest
import stripe

from app.config import Config
from app.sandbox.server import create_sandbox


def config(folder: Path, **more: str) -> Config:
    return Config.from_env({"DATA_DIR": str(folder), **more})


@pytest.fixture
def with_stripe(tmp_path: Path) -> Config:
    return config(
        tmp_path,
        STRIPE_SECRET="sk_test_local",
        STRIPE_WEBHOOK_SECRET="whsec_local",
        STRIPE_API_BASE="http://127.0.0.1:8001",
    )


async def test_the_index_leads_to_every_service(with_stripe: Config) -> None:
    client = create_sandbox(with_stripe).test_client()
    index = await (await client.get("/")).get_data(as_text=True)
    for path in ("/stripe", "/mailbox"):
        assert f'href="{path}"' in index
        assert (await client.get(path)).status_code == 200


async def test_the_local_stripe_answers_the_schools_key_only(with_stripe: Config) -> None:
    client = create_sandbox(with_stripe).test_client()
    for key, status in (("sk_test_local", 200), ("sk_test_other", 401)):
        headers = {"Authorization": f"Bearer {key}", "Stripe-Version": stripe.api_version}
        assert (await client.get("/v1/products", headers=headers)).status_code == status


async def test_without_an_address_for_it_there_is_no_local_stripe(tmp_path: Path) -> None:
    client = create_sandbox(config(tmp_path)).test_client()
    assert (await client.get("/stripe")).status_code == 404
    assert "/stripe" not in await (await client.get("/")).get_data(as_text=True)


async def test_the_accounts_of_forms_answer_below_their_hosts_and_can_be_turned_off(tmp_path: Path) -> None:
    client = create_sandbox(config(tmp_path, OUTSIDE_BASE="http://127.0.0.1:8001/outside")).test_client()
    page = await (await client.get("/outside")).get_data(as_text=True)
    assert "kit_0123456789abcdef" in page
    headers = {"X-Kit-Api-Key": "kit_0123456789abcdef"}
    for path in (
        "/outside/api.kit.com/v4/account",
        "/outside/api.kit.com/v4/subscribers?email_address=a%2Fb%40c.example",
    ):
        assert (await client.get(path, headers=headers)).status_code == 200
    body = {"email_address": "ann@learner.example"}
    answer = await client.post("/outside/api.kit.com/v4/subscribers", headers=headers, json=body)
    assert (answer.status_code, (await answer.get_json())["subscriber"]["state"]) == (201, "active")
    assert (await client.get("/outside/api.kit.com/v4/account")).status_code == 401
    assert (await client.get("/outside/elsewhere.example/")).status_code == 404
    for word, status in (("yes", 503), ("no", 200)):
        assert (await client.post("/outside/switches/kit", form={"is_down": word})).status_code == 303
        assert (await client.get("/outside/api.kit.com/v4/account", headers=headers)).status_code == status
    cross = await client.post(
        "/outside/switches/kit", form={"is_down": "yes"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert cross.status_code == 403


async def test_without_their_setting_there_are_no_accounts_of_forms(tmp_path: Path) -> None:
    assert (await create_sandbox(config(tmp_path)).test_client().get("/outside")).status_code == 404
