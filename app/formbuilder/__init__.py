"""Forms: the owner builds them, visitors answer, entries go where they are needed. docs/forms.md tells how."""

from quart import Quart


def install(app: Quart) -> None:
    """Choose what calls the services that entries go to; say where the school and its owner are."""
    from app.formbuilder.after_sending import after, notifications
    from app.formbuilder.delivery import connections
    from app.formbuilder.payment import payments
    from app.gateways import outgoing

    config = app.config["LECTERN"]
    connections.configure(outgoing.choose(config))
    after.configure(config.app_url)
    payments.configure(config.app_url)
    notifications.configure(config.admin_email)
