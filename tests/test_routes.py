"""Every route says who may call it and how often, and leads where its name says."""

import re

from app import Lectern
from app.accounts.roles import CAPABILITIES
from app.web.guards import SAFE_METHODS, guard_of

VERBS = [
    "show",
    "list",
    "create",
    "update",
    "delete",
    "end",
    "export",
    "find",
    "move",
    "preview",
    "replay",
    "retry",
    "start",
    "stop",
    "sign",
    "search",
    "upload",
    "restore",
]


async def test_every_route_declares_its_guard_and_its_limit(app: Lectern) -> None:
    for rule in app.url_map.iter_rules():
        guard = guard_of(app.view_functions[rule.endpoint])
        assert guard is not None, f"{rule.rule} declares no guard"
        assert guard.limit.count > 0
        assert guard.limit.seconds > 0
        if guard.kind == "capability":
            assert guard.capability in CAPABILITIES, f"{rule.rule} asks for an unknown capability"


async def test_the_back_office_asks_for_a_capability(app: Lectern) -> None:
    for rule in app.url_map.iter_rules():
        guard = guard_of(app.view_functions[rule.endpoint])
        if rule.rule.startswith("/admin"):
            assert guard is not None and guard.kind == "capability", rule.rule


async def test_no_safe_method_is_the_only_way_to_change_something(app: Lectern) -> None:
    for rule in app.url_map.iter_rules():
        name = rule.endpoint.rsplit(".", 1)[-1]
        if name.split("_")[0] in ("create", "update", "delete", "end", "retry", "replay"):
            assert not (rule.methods or set()) & (SAFE_METHODS - {"OPTIONS"}), f"{rule.rule} changes something by GET"


async def test_handlers_are_called_verb_noun(app: Lectern) -> None:
    for rule in app.url_map.iter_rules():
        name = rule.endpoint.rsplit(".", 1)[-1]
        assert name.split("_")[0] in VERBS, f"{rule.endpoint} does not begin with a verb"


async def test_addresses_are_lower_case_nouns(app: Lectern) -> None:
    for rule in app.url_map.iter_rules():
        assert re.fullmatch(r"(/[a-z0-9.\-]*|/?<[a-z_:]+>|\.svg|\.css|\.json)+", rule.rule), rule.rule
