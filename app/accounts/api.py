"""People, for programs."""

from typing import Any, cast

from quart import Blueprint, Response, g

from app.accounts import queries
from app.accounts.models import TokenBearer, User
from app.accounts.scopes import ME
from app.web.api import answer, listed
from app.web.guards import api

routes = Blueprint("accounts_api", __name__, url_prefix="/api/v1")


@routes.get("/me")
@api(ME)
async def show_me() -> Response:
    """Whom the token stands for, and what it may do now."""
    me = cast(TokenBearer, g.user)
    return answer(
        {
            "id": me.public_id,
            "name": me.name,
            "email": me.email,
            "email_verified": me.email_verified_at is not None,
            "role": me.role,
            "created_at": me.created_at,
            "token": {
                "id": me.token_public_id,
                "scopes": me.scopes,
                "granted": [scope for scope in me.scopes if scope == ME or me.can(scope)],
                "expires_at": me.expires_at,
            },
        }
    )


@routes.get("/people")
@api("people.view")
async def list_people() -> Response:
    """Everybody with an account, newest first."""
    return await listed("people", queries.users_before, lambda person: person.id, _drawn)


def _drawn(person: User) -> dict[str, Any]:
    return {
        "id": person.public_id,
        "name": person.name,
        "email": person.email,
        "email_verified": person.email_verified_at is not None,
        "role": person.role,
        "state": person.state,
        "created_at": person.created_at,
        "last_seen_at": person.last_seen_at,
    }
