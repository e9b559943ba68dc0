"""One act for each address at which a person decides something, done as they would do it.

A new address that writes gets a function here, with the actions it must leave in the audit trail:
``test_every_act_is_audited`` fails until it has one; ``reads`` names those at which nobody decides
anything.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest import mock

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from credits import charging, sign_in
from credits.admin import reports
from credits.ledger import Use
from credits.models import Membership, Role, User
from credits.rating import Work
from tests.security import (
    acts_of_billing,
    acts_of_briefs,
    acts_of_intake,
    acts_of_programs,
    acts_of_trackers,
)
from tests.security.acting import ACTS, World, act, agreed, confirmed, corrected, url
from tests.support import conversations, people
from tests.support.browsing import signed_in
from tests.support.conversations import record
from trackers import backfills
from trackers.models import Scan

__all__ = [
    "ACTS",
    "World",
    "acts_of_billing",
    "acts_of_briefs",
    "acts_of_intake",
    "acts_of_programs",
    "acts_of_trackers",
]

PRICES = {"EMAIL": "0.2", "CALL_LONG": "1", "CALL_SHORT": "0.5", "WEB_SEARCH": "5"}
NO_ROWS = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
TRACKER = {
    "name": "Any competitor",
    "question": "Did the customer name a competitor?",
    "answer_type": "YES_NO",
    "side": "CUSTOMER",
    "include_calls": "on",
    "edit_number": "",
}


# Signing in and out


@act("admin:login", "SIGN_IN_REFUSED", "SIGNED_IN")
def sign_in_by_password(world: World, _: Any) -> Any:
    client = Client()
    given = {"username": world.alice.email, "next": "/admin/"}
    client.post(url("login"), given | {"password": "wrong"})
    return client.post(url("login"), given | {"password": people.PASSWORD})


@act(
    "sign_in",
    "SIGNED_IN_BY_LINK",
    "SIGN_IN_REFUSED",
    prepare=lambda world: sign_in.new_link(user=world.alice, now=timezone.now()),
)
def sign_in_by_link_twice(world: World, link: str) -> Any:
    Client().get(link)
    return Client().get(link)


@act("admin:logout", "SIGNED_OUT", changes_rows=False)
def sign_out(world: World, _: Any) -> Any:
    return world.as_alice.post(url("logout"))


@act("admin:password_change", "PASSWORD_CHANGED")
def change_password(world: World, _: Any) -> Any:
    new = "quite another battery staple"
    given = {"old_password": people.PASSWORD, "new_password1": new, "new_password2": new}
    return world.as_alice.post(url("password_change"), given)


@act(
    "admin:choose_password",
    "PASSWORD_CHANGED",
    prepare=lambda world: people.newcomer(world.acme),
)
def choose_first_password(world: World, newcomer: User) -> Any:
    new = "quite another battery staple"
    given = {"new_password1": new, "new_password2": new}
    return signed_in(newcomer, world.acme).post(url("choose_password"), given)


# The vendor's acts


@act("admin:credits_creditgrant_add", "GRANTED")
def grant(world: World, _: Any) -> Any:
    add = url("credits_creditgrant_add")
    key = world.as_vera.get(add).context["form"]["key"].value()
    form = {"source": "ADJUSTMENT", "amount": "5", "reason": "Goodwill", "key": str(key)}
    seen = world.as_vera.post(add, form).context["seen"]
    return world.as_vera.post(add, form | {"step": "confirm", "seen": seen})


@act("admin:credits_company_change", "CHANGED")
def rename_company(world: World, _: Any) -> Any:
    return world.as_vera.post(url("credits_company_change", world.acme.pk), {"name": "Acme Inc."})


@act("admin:credits_user_add", "ADDED")
def add_person(world: World, _: Any) -> Any:
    form = {"email": "dana@acme.example", "name": "Dana"} | NO_ROWS
    return world.as_vera.post(url("credits_user_add"), form)


@act("admin:credits_user_change", "CHANGED")
def deactivate_person(world: World, _: Any) -> Any:
    form = {"email": world.alice.email, "name": world.alice.name} | NO_ROWS
    return world.as_vera.post(url("credits_user_change", world.alice.pk), form)


@act(
    "admin:credits_membership_add",
    "ADDED",
    prepare=lambda world: User.objects.create_user("dana@acme.example"),
)
def add_member(world: World, dana: User) -> Any:
    form = {"user": dana.pk, "role": Role.VIEWER}
    return world.as_vera.post(url("credits_membership_add"), form)


@act("admin:credits_membership_change", "CHANGED", prepare=World.membership)
def change_role(world: World, membership: Membership) -> Any:
    address = url("credits_membership_change", membership.pk)
    return world.as_vera.post(address, {"role": Role.VIEWER})


@act("admin:credits_membership_delete", "DELETED", prepare=World.membership)
def end_membership(world: World, membership: Membership) -> Any:
    address = url("credits_membership_delete", membership.pk)
    return world.as_vera.post(address, {"post": "yes"})


@act("admin:credits_ratecard_add", "ADDED")
def set_rates(world: World, _: Any) -> Any:
    start = {"effective_at_0": "2190-01-01", "effective_at_1": "00:00:00"}
    return world.as_vera.post(url("credits_ratecard_add"), start | PRICES)


@act(
    "admin:credits_creditgrant_void",
    "VOIDED",
    prepare=lambda world: people.credits_for(world.acme, "5"),
)
def void_grant(world: World, granted: Any) -> Any:
    return corrected(world, url("credits_creditgrant_void", granted.pk))


@act(
    "admin:credits_creditgrant_cancel",
    "CANCELLED",
    prepare=lambda world: people.credits_for(
        world.acme, "5", effective_at=timezone.now() + timedelta(days=9)
    ),
)
def cancel_grant(world: World, granted: Any) -> Any:
    return corrected(world, url("credits_creditgrant_cancel", granted.pk))


@act(
    "admin:credits_creditgrant_adjust",
    "ADJUSTED",
    prepare=lambda world: people.credits_for(world.acme, "5"),
)
def adjust_down(world: World, _: Any) -> Any:
    return corrected(world, url("credits_creditgrant_adjust"), amount="-2")


def _charged(world: World) -> Any:
    people.credits_for(world.acme, "5")
    use = Use("ASK", "Ask anything", None, "API_REQUEST")
    work = Work(long_calls=1, request_count=1)
    return charging.charge(company=world.acme, use=use, work=work, rates=people.rates())


@act("admin:credits_usageevent_refund", "REFUNDED", prepare=_charged)
def refund(world: World, event: Any) -> Any:
    return corrected(world, url("credits_usageevent_refund", event.pk), amount="0.5")


# A company's acts


@act("admin:trackers_tracker_add", "ADDED")
def draft_tracker(world: World, _: Any) -> Any:
    return world.as_alice.post(url("trackers_tracker_add"), TRACKER)


@act("admin:trackers_tracker_change", "CHANGED", prepare=World.tracker)
def change_tracker(world: World, tracker: Any) -> Any:
    form = TRACKER | {"edit_number": str(tracker.edit_number)}
    return world.as_alice.post(url("trackers_tracker_change", tracker.pk), form)


@act("admin:trackers_tracker_import", "ADDED")
def import_tracker(world: World, _: Any) -> Any:
    file = SimpleUploadedFile("trackers.csv", b"name,question\nNew,Did they ask?\n")
    seen = world.as_alice.post(url("trackers_tracker_import"), {"file": file})
    token = seen.context["preview"].token
    return world.as_alice.post(url("trackers_tracker_import"), {"token": token})


@act(
    "admin:trackers_tracker_publish",
    "PUBLISHED",
    "STARTED",
    prepare=lambda world: world.calls() or conversations.tracker(world.acme),
)
def publish_with_history(world: World, tracker: Any) -> Any:
    address = url("trackers_tracker_publish", tracker.pk)
    return confirmed(world.as_alice, address, with_history="on")


@act("admin:trackers_tracker_unpublish", "UNPUBLISHED", prepare=World.tracker)
def unpublish(world: World, tracker: Any) -> Any:
    return confirmed(world.as_alice, url("trackers_tracker_unpublish", tracker.pk))


@act(
    "admin:trackers_tracker_discard",
    "DELETED",
    prepare=lambda world: conversations.tracker(world.acme),
)
def delete_draft(world: World, tracker: Any) -> Any:
    return agreed(world.as_alice, url("trackers_tracker_discard", tracker.pk))


@act("admin:trackers_tracker_backfill", "STARTED", prepare=World.tracker)
def start_backfill(world: World, tracker: Any) -> Any:
    return confirmed(world.as_alice, url("trackers_tracker_backfill", tracker.pk))


@act("admin:trackers_backfill_stop", "STOPPED", prepare=World.backfill)
def stop_backfill(world: World, backfill: Any) -> Any:
    return world.as_alice.post(url("trackers_backfill_stop", backfill.pk))


@act("admin:trackers_backfill_pause", "PAUSED", prepare=World.backfill)
def pause_backfill(world: World, backfill: Any) -> Any:
    return world.as_alice.post(url("trackers_backfill_pause", backfill.pk))


def _at_zero(world: World) -> Any:
    backfill = world.backfill()
    backfills.wait_at_zero(backfill_id=backfill.pk)
    return backfill


@act("admin:trackers_backfill_resume", "RESUMED", prepare=_at_zero)
def resume_backfill(world: World, backfill: Any) -> Any:
    return world.as_alice.post(url("trackers_backfill_resume", backfill.pk))


def _waiting(world: World) -> Any:
    now = timezone.now()
    conversations.published(world.acme, world.alice, now=now - timedelta(days=60))
    conversations.ingest(world.acme, *(record(f"{n}", started_at=now) for n in range(2)), now=now)
    Scan.objects.update(state="WAITING", price="0.500")
    people.credits_for(world.acme, "0.5")


@act("admin:trackers_waiting_decide", "RESUMED", "SKIPPED", prepare=_waiting)
def decide_what_waits(world: World, _: Any) -> Any:
    address = url("trackers_waiting_decide")
    key = str(world.as_alice.get(address).context["form"]["key"].value())
    for choice in ("ALL", "SKIP"):
        form = {"choice": choice, "key": key}
        seen = world.as_alice.post(address, form).context["seen"]
        answer = world.as_alice.post(address, form | {"step": "confirm", "seen": seen})
    return answer


# Taking figures out


@act("admin:credits_reports", "EXPORTED", "REQUESTED")
def export_a_short_report_and_a_long_one(world: World, _: Any) -> Any:
    asked = {"report": "credit-usage", "days": "this-month", "format": "csv", "export": "1"}
    answer = world.as_alice.get(url("credits_reports"), asked)
    assert b"Usage time" in answer.getvalue()
    with mock.patch.object(reports, "ROWS_AT_ONCE_MAX", -1):
        return world.as_alice.post(url("credits_reports"), asked)


def _export(route: str) -> None:
    """Register import-export's own page at a route."""

    @act(f"admin:{route}", "EXPORTED", changes_rows=False)
    def export(world: World, _: Any) -> Any:
        return world.as_alice.post(url(route), {"format": "0", "resource": "0"})


_export("credits_usageevent_export")
_export("credits_ledgerentry_export")
_export("billing_purchase_export")
_export("credits_auditevent_export")
_export("trackers_tracker_export")
_export("trackers_scan_export")
