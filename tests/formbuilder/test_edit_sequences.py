"""Any edits in any order: the definition stays sound, undo goes back exactly, redo on exactly, two people lose nothing."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import Lectern
from app.core import db
from app.core.errors import Conflict, Invalid
from app.formbuilder.admin.frame import labels_of
from app.formbuilder.definition import definitions, differences, editing, exchange, rules, versions
from app.formbuilder.fields.kinds import all_kinds
from app.formbuilder.logic.sentences import sentence
from app.formbuilder.models import Definition, Form, Posted
from app.formbuilder.queries import history
from tests.cast import Cast, Person
from tests.formbuilder.building import a_definition, now

KINDS = sorted(all_kinds())
TEXTS = st.sampled_from(
    ["", "Name", "“<b>&amp;", "x" * 700, "\x00a\nb", "3", "-1", "a | b | 2\nc", "{q1} + {q2}", "{q3} *", "on"]
)
IDS = st.sampled_from(["q1", "q2", "q3", "q4", "q5", "q6", "q7", "start", "end", "-", "nobody"])
CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "do": st.sampled_from([*rules.ACTIONS, "nonsense"]),
        "from": IDS,
        "targets": IDS,
        "c.join": st.sampled_from(["all", "any"]),
        **{f"c.{n}.field": IDS for n in (0, 2)},
        **{f"c.{n}.is": st.sampled_from(list(rules.OPERATORS)) for n in (0, 2)},
        **{f"c.{n}.value": TEXTS for n in (0, 2)},
        "c.1.join": st.sampled_from(["all", "any"]),
        "c.1.0.field": IDS,
        "act": st.sampled_from(
            ["add:c", "group:c", "remove:c.0", "add:c.1", "remove:c.1.0", "nonsense", "group:c.9.9"]
        ),
    },
)
EDITS = st.one_of(
    st.tuples(st.just("add"), st.sampled_from([*KINDS, "nonsense"]), IDS),
    st.tuples(st.just("copy"), IDS),
    st.tuples(st.just("remove"), IDS),
    st.tuples(st.just("move"), IDS, st.integers(-3, 3)),
    st.tuples(st.just("order"), st.lists(IDS, max_size=6)),
    st.tuples(st.just("change"), IDS, TEXTS, TEXTS),
    st.tuples(st.just("head"), TEXTS),
    st.tuples(st.just("rule"), IDS),
    st.tuples(st.just("pick"), st.sampled_from(["r1", "r2", "r3"]), CONDITIONS),
    st.tuples(st.just("unrule"), st.sampled_from(["r1", "r2", "r3"])),
)


def edited(definition: Definition, edit: tuple[Any, ...]) -> Definition:
    """The definition after an edit, which may refuse what makes no sense."""
    what, *given_ = edit
    try:
        if what == "add":
            return editing.added(definition, given_[0], given_[1])
        if what == "copy":
            return editing.duplicated(definition, given_[0])
        if what == "remove":
            return editing.removed(definition, given_[0])
        if what == "move":
            return editing.moved(definition, given_[0], given_[1])
        if what == "order":
            return editing.ordered(definition, given_[0])
        if what == "change":
            field = editing.found(definition, given_[0])
            told = dict.fromkeys(field.settings, given_[2]) | {"label": given_[1], "help": given_[2], "width": "3"}
            return editing.changed(definition, given_[0], told)[0]
        if what == "head":
            return editing.with_head(definition, title=given_[0], intro=given_[0], button=given_[0])
        if what == "rule":
            return rules.added(definition, given_[0])
        if what == "pick":
            posted = Posted({name: [value] for name, value in given_[1].items()})
            return rules.changed(definition, given_[0], posted)
        return rules.removed(definition, given_[0])
    except (Conflict, Invalid):
        return definition


@settings(max_examples=150, deadline=None)
@given(st.lists(EDITS, max_size=25))
def test_whatever_is_edited_the_definition_stays_sound(edits: list[tuple[Any, ...]]) -> None:
    first = definition = a_definition()
    used: set[str] = set()
    for edit in edits:
        before, definition = definition, edited(definition, edit)
        ids = [field.id for field in definition.fields]
        assert len(ids) == len(set(ids)) and definition.last >= before.last
        assert not (set(ids) - {field.id for field in before.fields}) & used, "an id was used again"
        used |= set(ids)
        assert definitions.read(definitions.write_definition(definition)) == definition
        for problem in definitions.problems(definition):
            assert problem.sentence and problem.level in ("error", "warning")
        for rule in definition.rules:
            assert sentence(rule, labels_of(definition))
            # What the pickers show of a rule is what they send back.
            assert rules.drawn(definition, rule.get("when")).path == "c"
        assert bool(differences.between(before, definition)) == (before != definition) or _only_last(before, definition)
    differences.between(first, definition)
    assert exchange.read(exchange.written(definition)) == definition


def _only_last(before: Definition, after: Definition) -> bool:
    """Whether people see no difference: ids that were given away, labels of nothing."""
    return [vars_of(field) for field in before.fields] == [vars_of(field) for field in after.fields]


def vars_of(field: Any) -> tuple[Any, ...]:
    return field.id, field.kind, field.label, field.help, field.required, field.width, field.settings


STEPS = st.lists(st.one_of(EDITS, st.sampled_from([("undo",), ("redo",)])), max_size=20)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_undo_goes_back_exactly_and_redo_on_exactly(app: Lectern, steps: list[tuple[Any, ...]]) -> None:
    olga = await _owner(app)
    form = await versions.create(a_definition(), by=olga)
    # Undo and redo as everybody knows them: two stacks, and an edit empties the second.
    done, undone = [await now(form)], list[Definition]()
    used = {field.id for field in done[-1].fields}
    for step in steps:
        last, before = done[-1].last, {field.id for field in done[-1].fields}
        if step[0] == "undo" and len(done) > 1:
            undone.append(done.pop())
            await versions.undo(form.id)
        elif step[0] == "redo" and undone:
            done.append(undone.pop())
            await versions.redo(form.id)
        elif step[0] in ("undo", "redo"):
            try:
                await (versions.undo if step[0] == "undo" else versions.redo)(form.id)
            except Conflict:
                pass
            else:
                raise AssertionError("there was nothing to go to")
        else:
            after = edited(done[-1], step)
            if after != done[-1]:
                done.append(after)
                undone.clear()
            await versions.edit(form.id, partial(edited, edit=step), words="Changed", by=olga)
            ids = {field.id for field in done[-1].fields}
            assert not (ids - before) & used, "an id was used again"
            used |= ids
        # All but one number: what was given away once is not given away again.
        done[-1] = replace(done[-1], last=max(last, done[-1].last))
        assert await now(form) == done[-1]
        assert (await versions.find(form.public_id)).title == done[-1].title


async def _owner(app: Lectern) -> Person:
    found = await db.value("SELECT id FROM users WHERE email = 'olga@meridian.example'")
    if found is None:
        return await Cast(app).olga()
    return Person(found, "", "olga@meridian.example", "Olga Oster", app.test_client())


async def test_forty_edits_of_two_people_at_once_all_count(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    form = await versions.create(a_definition(), by=olga)
    add = partial(editing.added, kind="email", after="")
    label = [partial(_labelled, field_id=f"q{number}", label=f"By {who.name}") for number, who in ((1, olga), (2, rob))]
    await asyncio.gather(
        *(versions.edit(form.id, add, words="Added", by=(olga, rob)[number % 2]) for number in range(38)),
        versions.edit(form.id, label[0], words="Changed", subject="q1", by=olga),
        versions.edit(form.id, label[1], words="Changed", subject="q2", by=rob),
    )
    found = await now(form)
    assert len({field.id for field in found.fields}) == 3 + 38
    assert [field.label for field in found.fields[:2]] == ["By Olga Oster", "By Rob Rask"]


async def test_two_who_change_one_field_at_once_one_is_kept_and_the_other_asked(cast: Cast) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    form = await versions.create(a_definition(), by=olga)
    assert sorted(await _both_change(form, olga, rob)) == [303, 409]


async def test_without_a_second_look_one_of_two_would_write_over_the_other(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga, rob = await cast.olga(), await cast.rob()
    form = await versions.create(a_definition(), by=olga)
    # The negative control: the look at who changed the field last is believed, however old it is.
    monkeypatch.setattr(editing, "fingerprint", _first_of_each(editing.fingerprint))
    assert sorted(await _both_change(form, olga, rob)) == [303, 303]


def _labelled(definition: Definition, field_id: str, label: str) -> Definition:
    return editing.changed(definition, field_id, {"label": label})[0]


def _first_of_each(fingerprint: Any) -> Any:
    known: dict[str, str] = {}

    def same(field: Any) -> str:
        return known.setdefault(field.id, fingerprint(field))

    return same


async def _both_change(form: Form, *people: Person) -> list[int]:
    """Both opened the same state, and send at once; what each was answered. Neither looks before the other does."""
    look, looked, both = history.last_change, 0, asyncio.Event()
    shown = editing.fingerprint((await now(form)).fields[0])

    async def together(form_id: int, field_id: str) -> Any:
        nonlocal looked
        found = await look(form_id, field_id)
        looked += 1
        if looked == 2:
            both.set()
        await asyncio.wait_for(both.wait(), 10)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "last_change", together)
        answers = await asyncio.gather(
            *(
                person.browser.post(
                    f"/admin/forms/{form.public_id}/fields/q1", form={"label": f"By {person.name}", "shown": shown}
                )
                for person in people
            )
        )
    return [answer.status_code for answer in answers]
