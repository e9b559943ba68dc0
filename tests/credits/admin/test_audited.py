"""Every form of the admin leaves its line in the audit trail, without being asked to."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from credits import audit
from credits.audit import Action
from credits.models import AuditEvent, AuditText, CreditGrant, LedgerEntry, Membership
from tests.support import people
from tests.support.browsing import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    return people.company("Acme")


@pytest.fixture
def vera():
    return people.vera()


def text_of(event) -> AuditText:
    return AuditText.objects.get(event=event)


def moved(event) -> list[tuple]:
    changes = text_of(event).changes
    return [(one["field"], one["before"], one["after"]) for one in changes]


def grant_form(client, **changes) -> dict[str, str]:
    page = client.get(reverse("admin:credits_creditgrant_add"))
    form = {
        "source": "ADJUSTMENT",
        "amount": "25",
        "first": "",
        "last": "",
        "reason": "Goodwill for the outage",
        "key": str(page.context["form"]["key"].value()),
    }
    return form | changes


def test_a_grant_and_its_line_are_one_act(acme, vera):
    client = signed_in(vera, acme)
    add = reverse("admin:credits_creditgrant_add")
    form = grant_form(client)
    seen = client.post(add, form).context["seen"]

    client.post(add, form | {"step": "confirm", "seen": seen})

    grant = CreditGrant.objects.get(company=acme)
    event = AuditEvent.objects.get()
    assert (event.action, event.company, event.actor_ref) == ("GRANTED", acme, vera.public_id)
    assert (event.subject_type, event.subject_id) == ("credits.creditgrant", str(grant.pk))
    assert text_of(event).changes == [
        {"field": "credits", "before": None, "after": "25.0"},
        {"field": "source", "before": None, "after": "Adjustment"},
    ]
    assert text_of(event).reason == "Goodwill for the outage"


def test_after_the_ledger_s_call_only_the_line_is_written_and_both_are_one_act(acme, vera):
    """The call holds the company's pool until the commit: what follows must be short."""
    client = signed_in(vera, acme)
    add = reverse("admin:credits_creditgrant_add")
    form = grant_form(client)
    seen = client.post(add, form).context["seen"]

    with CaptureQueriesContext(connection) as captured:
        client.post(add, form | {"step": "confirm", "seen": seen})

    statements = [query["sql"] for query in captured]
    line = next(n for n, sql in enumerate(statements) if 'INTO "credits_audittext"' in sql)
    call = next(n for n, sql in enumerate(statements) if "ledger_issue" in sql)
    writes = [sql for sql in statements[call + 1 : line + 1] if sql.startswith("INSERT")]
    assert call < line
    assert ["credits_audit" in sql for sql in writes] == [True, True]
    begun = {sql.split()[-1] for sql in statements[:call] if sql.startswith("SAVEPOINT")}
    ended = {sql.split()[-1] for sql in statements[line:] if sql.startswith("RELEASE")}
    assert begun & ended, "both are in one transaction"


def test_a_second_submit_of_a_grant_is_no_second_act(acme, vera):
    client = signed_in(vera, acme)
    add = reverse("admin:credits_creditgrant_add")
    form = grant_form(client)
    seen = client.post(add, form).context["seen"]

    for _ in range(2):
        client.post(add, form | {"step": "confirm", "seen": seen})

    assert LedgerEntry.objects.filter(company=acme).count() == 1
    assert AuditEvent.objects.count() == 1


def test_a_form_of_the_admin_is_audited_field_by_field(acme, vera):
    alice = people.alice(acme)
    membership = Membership.objects.get(user=alice)
    client = signed_in(vera, acme)

    client.post(
        reverse("admin:credits_membership_change", args=[membership.pk]), {"role": "VIEWER"}
    )
    client.post(reverse("admin:credits_membership_delete", args=[membership.pk]), {"post": "yes"})

    changed, deleted = AuditEvent.objects.order_by("pk")
    assert (changed.action, deleted.action) == ("CHANGED", "DELETED")
    assert {changed.company, deleted.company} == {acme}
    assert {changed.about_ref, deleted.about_ref} == {alice.public_id}
    assert changed.subject_id == deleted.subject_id == str(membership.pk)
    assert text_of(changed).subject_label == "Alice in Acme"
    assert text_of(changed).changes == [
        {"field": "role", "before": "Tech admin", "after": "Viewer"}
    ]
    assert ("role", "Viewer", None) in moved(deleted)


def test_the_rows_beside_a_form_are_acts_of_their_own_company(acme, vera):
    beta = people.company("Beta")
    alice = people.alice(acme)
    membership = Membership.objects.get(user=alice)
    client = signed_in(vera)
    rows = {
        "memberships-TOTAL_FORMS": "2",
        "memberships-INITIAL_FORMS": "1",
        "memberships-0-id": str(membership.pk),
        "memberships-0-user": str(alice.pk),
        "memberships-0-company": str(acme.pk),
        "memberships-0-role": "TECH_ADMIN",
        "memberships-0-DELETE": "on",
        "memberships-1-user": str(alice.pk),
        "memberships-1-company": str(beta.pk),
        "memberships-1-role": "VIEWER",
    }
    form = {"email": alice.email, "name": "Alice Ames", "is_active": "on"}

    answer = client.post(reverse("admin:credits_user_change", args=[alice.pk]), form | rows)

    assert answer.status_code == 302
    found = {
        (event.action, event.company and event.company.name, event.text.subject_label)
        for event in AuditEvent.objects.select_related("company", "text")
    }
    assert found == {
        ("CHANGED", None, "Alice Ames"),
        ("ADDED", "Beta", "Alice Ames in Beta"),
        ("DELETED", "Acme", "Alice Ames in Acme"),
    }
    of_person = AuditEvent.objects.get(subject_type="credits.user")
    assert of_person.subject_id == str(alice.public_id)
    assert text_of(of_person).changes == [
        {"field": "name", "before": "Alice", "after": "Alice Ames"}
    ]


def test_saving_a_form_that_changes_nothing_is_no_act(acme, vera):
    client = signed_in(vera)

    client.post(reverse("admin:credits_company_change", args=[acme.pk]), {"name": "Acme"})

    assert not AuditEvent.objects.exists()


def test_new_rates_say_which_prices_they_replace(vera):
    client = signed_in(vera)
    prices = {"EMAIL": "0.125", "CALL_LONG": "1", "CALL_SHORT": "0.5", "WEB_SEARCH": "5"}

    client.post(
        reverse("admin:credits_ratecard_add"),
        {"effective_at_0": "2190-01-01", "effective_at_1": "00:00:00", "note": ""} | prices,
    )

    event = AuditEvent.objects.get()
    assert (event.action, event.company) == ("ADDED", None)
    assert {"field": "EMAIL", "before": "0.1", "after": "0.125"} in text_of(event).changes
    assert "CALL_LONG" not in event.changed_fields


def test_django_s_own_log_stays_empty(acme, vera):
    client = signed_in(vera)

    client.post(reverse("admin:credits_company_change", args=[acme.pk]), {"name": "Acme Inc."})

    assert AuditEvent.objects.count() == 1
    assert not LogEntry.objects.exists()


def test_history_opens_the_trail_of_the_one_row(acme, vera):
    client = signed_in(vera)
    client.post(reverse("admin:credits_company_change", args=[acme.pk]), {"name": "Acme Inc."})
    audit.record(
        action=Action.CHANGED, by=vera, company=acme, subject=vera, reason="Something else"
    )

    trail = client.get(reverse("admin:credits_company_history", args=[acme.pk]), follow=True)

    shown = trail.content.decode()
    assert "Acme → Acme Inc." in shown
    assert "Something else" not in shown
