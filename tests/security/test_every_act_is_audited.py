"""Whatever writes leaves a line in the audit trail: pages, addresses, commands, tasks.

Each is either in a table with an act that is done here, or in a table with the reason why nothing
is written. A new page, address, command or task in neither fails a test.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from celery import current_app
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.core.management import call_command, get_commands
from django.test import RequestFactory

from credits.admin.audited import AuditedAdmin
from credits.current_company import Scope, find
from credits.models import AuditEvent, AuditText, Company, Membership
from credits.roles import Standing
from tests.security.acts import ACTS, World
from tests.security.reads import COMMANDS_WITHOUT_A_LINE, READS, TASKS_WITHOUT_A_LINE
from tests.security.routes import every_route
from tests.support import people
from tests.support.browsing import signed_in
from tests.support.changes import APPS

pytestmark = pytest.mark.django_db
# What Django gives every model's pages; whether a person may add, change or delete is asked.
READ_PAGES = ("changelist", "history")
DECIDING_PAGES = ("add", "change", "delete")


@pytest.fixture
def world(watch):
    acme = people.company("Acme")
    alice, vera = people.alice(acme), people.vera()
    return World(acme, alice, vera, signed_in(alice), signed_in(vera, acme))


def lines() -> list[AuditEvent]:
    return list(AuditEvent.objects.select_related("text").order_by("pk"))


def may_decide(page: ModelAdmin, what: str) -> bool:
    """Tell whether anybody at all may add, change or delete on a page."""
    company = Company(pk=1, name="Acme")
    for standing in Standing:
        request = RequestFactory().get("/")
        request.user = None
        request.company_scope = Scope(standing=standing, company=company, choices=(company,))
        if getattr(page, f"has_{what}_permission")(request):
            return True
    return False


@pytest.mark.parametrize("route", sorted(ACTS))
def test_an_act_leaves_its_line(world, watch, route):
    act = ACTS[route]
    prepared = act.prepare(world)
    watch.changed()
    before = {event.pk for event in lines()}

    answer = act.do(world, prepared)

    new = [event for event in lines() if event.pk not in before]
    assert sorted(event.action for event in new) == sorted(act.actions), answer
    assert bool(watch.changed()) or not act.changes_rows
    who = {"ADMIN": "PERSON", "API": "API_KEY"}[act.door]
    for event in new:
        assert event.door == act.door
        assert event.text.ip == "127.0.0.1"
        assert event.request_id
        assert event.actor_kind == ("NOBODY" if event.action == "SIGN_IN_REFUSED" else who)
    assert new[-1].request_id == answer["X-Request-Id"]


def test_every_address_has_an_act_or_a_reason():
    unknown = []
    for route in every_route():
        page = admin.site._registry.get(route.model) if route.model else None
        kind = route.name.rpartition("_")[2]
        if page is not None and (kind in READ_PAGES or route.name.startswith("/")):
            continue
        if page is not None and kind in DECIDING_PAGES and not may_decide(page, kind):
            continue
        if route.name not in ACTS and route.name not in READS:
            unknown.append(route.name)

    assert unknown == []
    assert READS.keys() & ACTS.keys() == set()


def test_every_table_names_what_there_is():
    names = {route.name for route in every_route()}

    assert ACTS.keys() - names == set()
    assert READS.keys() - names <= {"admin:ledger_entry"}


def test_every_page_stands_on_the_audited_base():
    for page in admin.site._registry.values():
        assert isinstance(page, AuditedAdmin), page
        for hook in ("log_addition", "log_change", "log_deletions", "_record"):
            assert getattr(type(page), hook) is getattr(AuditedAdmin, hook), page


class HastyAdmin(AuditedAdmin):
    """A page that saves in its own way and forgets everything else."""

    fields = ("role",)

    def has_change_permission(self, request, obj=None):
        return True

    has_view_permission = has_delete_permission = has_change_permission

    def save_model(self, request, obj, form, change):
        Membership.objects.filter(pk=obj.pk).update(role=obj.role)

    def save_related(self, request, form, formsets, change):
        pass

    def delete_model(self, request, obj):
        Membership.objects.filter(pk=obj.pk).delete()

    def response_change(self, request, obj):
        return None

    def response_delete(self, request, obj_display, obj_id):
        return None


def posted(world: World, **form: str) -> Any:
    """Return a form sent by vendor staff, as a view receives it."""
    request = RequestFactory().post("/", form)
    request.user, request.session = world.vera, world.as_vera.session
    request.company_scope = find(request)
    request._dont_enforce_csrf_checks = True
    return request


def test_a_new_page_is_audited_by_itself(world):
    page = HastyAdmin(Membership, admin.site)
    membership = Membership.objects.get(user=world.alice)

    page.change_view(posted(world, role="VIEWER"), str(membership.pk))
    page.delete_view(posted(world, post="yes"), str(membership.pk))

    assert [event.action for event in lines()] == ["CHANGED", "DELETED"]


def test_every_command_leaves_a_line_or_has_a_reason_not_to():
    ours = {name for name, app in get_commands().items() if app in APPS or app == "config"}

    assert ours - COMMANDS_WITHOUT_A_LINE.keys() == {
        "api_keys",
        "create_api_key",
        "erase_personal_data",
        "import_accounts",
        "import_conversations",
        "limits",
        "sign_in_link",
    }


def test_every_task_leaves_a_line_or_has_a_reason_not_to():
    current_app.loader.import_default_modules()
    ours = {name for name in current_app.tasks if name.split(".")[0] in (*APPS, "config")}

    assert ours == set(TASKS_WITHOUT_A_LINE)


def test_a_sign_in_link_made_by_command_leaves_a_line(world, capsys):
    call_command("sign_in_link", world.alice.email)

    (line,) = lines()
    assert (line.action, line.actor_kind, line.door) == ("LINK_MADE", "SYSTEM", "COMMAND")
    assert (line.job, line.about_ref) == ("sign_in_link", world.alice.public_id)
    assert line.company == world.acme
    secret = capsys.readouterr().out.strip().rpartition("/sign-in/")[2]
    everything = json.dumps(list(AuditText.objects.values()), default=str)
    assert secret.strip("/") not in everything


def test_an_import_says_when_it_began_and_what_it_did(world, tmp_path):
    call = {
        "id": "call-1",
        "source": "test",
        "kind": "call",
        "title": "A call",
        "started_at": "2026-01-14T10:30:00+00:00",
        "duration_seconds": 300,
        "team": "EMEA Sales",
        "owner": "rep@acme.example",
        "account": None,
        "deal": None,
        "participants": [{"id": "r", "name": "Rita", "email": None, "role": "internal"}],
        "utterances": [{"id": "u0", "speaker": "r", "start": 0.0, "text": "Hello."}],
    }
    file = tmp_path / "calls.jsonl"
    file.write_text(json.dumps(call) + "\n")

    call_command("import_conversations", str(file), company=world.acme.slug, dry_run=True)
    assert lines() == []
    call_command("import_conversations", str(file), company=world.acme.slug)

    began, ended = lines()
    assert (began.action, ended.action) == ("IMPORT_STARTED", "IMPORTED")
    assert {began.company, ended.company} == {world.acme}
    assert {"field": "files", "before": None, "after": "calls.jsonl"} in began.text.changes
    assert {"field": "created", "before": None, "after": "1"} in ended.text.changes
