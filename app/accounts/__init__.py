"""People and how they prove who they are: users, sessions, passwords, roles.

Owns `users`, `sessions`, `one_time_tokens`, `pending_sign_ins`, `mfa_secrets`, `recovery_codes`, `passkeys`, `used_challenges`,
`identities`.
Puts the signed-in person into `g.user` for every request.
"""

from quart import Quart


def install(app: Quart) -> None:
    """Load the signed-in person before every request."""
    from app.accounts import challenges, familiar, sessions, sign_ins

    sessions.install(app)
    familiar.install(app)
    sign_ins.install(app)
    challenges.install(app)
