"""Forms: the owner builds them, visitors answer, entries go where they are needed. docs/forms.md tells how."""

from quart import Quart


def install(app: Quart) -> None:
    """Choose what calls the services that entries go to."""
    from app.formbuilder import connections
    from app.gateways import outgoing

    connections.configure(outgoing.choose(app.config["LECTERN"]))
