"""People and how they prove who they are: users, sessions, passwords, roles.

Owns `users`, `roles`, `sessions`, `access_tokens`, `one_time_tokens`, `sign_in_links`, `pending_sign_ins`, `mfa_secrets`,
`recovery_codes`, `passkeys`, `used_challenges`, `identities`, `email_changes`, `tags`, `user_tags`, `person_notes`,
`impersonations`, `impersonation_visits`, `personal_exports`, `erasures`, `consents`.
Puts the signed-in person into `g.user` for every request.
"""

from quart import Quart


def install(app: Quart) -> None:
    """Load the signed-in person before every request."""
    from app.accounts import access_tokens, challenges, exports, familiar, google, magic_links, sessions, sign_ins
    from app.gateways import storage

    exports.configure(storage.choose(app.config["LECTERN"]))
    sessions.install(app)
    access_tokens.install(app)
    familiar.install(app)
    sign_ins.install(app)
    challenges.install(app)
    magic_links.install(app)
    google.install(app)
