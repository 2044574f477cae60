"""People and how they prove who they are: users, sessions, passwords, roles.

Owns `users`, `sessions`, `one_time_tokens`, `pending_sign_ins`, `mfa_secrets`, `recovery_codes`, `passkeys`, `used_challenges`,
`identities`.
Owns `users`, `sessions`, `one_time_tokens`, `pending_sign_ins`, `mfa_secrets`, `recovery_codes`, `passkeys`, `identities`,
`sign_in_links`.
Puts the signed-in person into `g.user` for every request.
"""

from quart import Quart


def install(app: Quart) -> None:
    """Load the signed-in person before every request."""
    from app.accounts import challenges, familiar, google, magic_links, sessions, sign_ins

    sessions.install(app)
    familiar.install(app)
    sign_ins.install(app)
    challenges.install(app)
    magic_links.install(app)
    google.install(app)
