"""The roles of SPEC §1: the data compared with the table as written, each cell proven by a request.

May: the page opens, or the act is done and on the audit trail. May not: 403 or 404, and nothing
changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from credits import roles
from credits.models import AuditEvent, Company, JobRun, User
from credits.roles import Act, Standing
from tests.security.acts import ACTS, World
from tests.security.routes import Route, every_route
from tests.security.walking import crafted
from tests.support import people
from tests.support.browsing import signed_in
from tests.support.changes import Watch

pytestmark = pytest.mark.django_db

# SPEC §1 in its own words, one column a standing:
# vendor staff, vendor auditor, tech admin, business admin, viewer.
WRITTEN = """
see the credits page                          x x x x x
see results                                   x x x x x
see the ledger, usage and grants              x x x x -
download credit reports                       x x x x -
cancel an export that somebody else asked for  x - x x -
see the rate card                             x x x x -
see trackers                                  x x x x -
see conversations                             x x x x -
import conversations                          - - x x -
erase conversations and set their retention   - - x x -
see briefs and what they said                 x x x x -
change, publish and run briefs                - - x x -
ask about accounts, deals and people          - - x x -
switch answer reuse                           - - x - -
see what the language model was asked for     x x x x -
switch the language model on or off           - - x - -
test the connection to the language model     x - x - -
see the audit trail                           x x x x -
see the contract, allocations and purchases   x x x x -
request more credits                          - - x x -
make, replace and revoke API keys             - - x - -
see limits and how much of them is used       x x x x -
set and end limits                            - - x - -
change, publish and backfill trackers         - - x x -
see scheduled jobs                            x x - - -
see companies and people                      x x - - -
grant credits                                 x - - - -
cancel, void, adjust and refund credits       x - - - -
set rates                                     x - - - -
record, fulfil, cancel and reverse purchases  x - - - -
approve purchases                             x - - - -
set contracts and seats                       x - - - -
open and close companies and manage people    x - - - -
"""
STANDINGS = (
    Standing.VENDOR_STAFF,
    Standing.VENDOR_AUDITOR,
    Standing.TECH_ADMIN,
    Standing.BUSINESS_ADMIN,
    Standing.VIEWER,
)
LEDGER = ("alert", "ledgerentry", "drawdown", "usageevent", "reservation", "creditgrant")
PEOPLE = ("company", "user", "membership")
SAID = (
    "conversation",
    "customeraccount",
    "deal",
    "contact",
    "team",
    "teammember",
    "askrequest",
)


def lists(app: str, *models: str) -> tuple[str, ...]:
    return tuple(f"admin:{app}_{model}_changelist" for model in models)


# Where each act is done: at an address with an act in ``acts``, which is then done; others open.
PLACES: dict[Act, tuple[str, ...]] = {
    Act.VIEW_CREDITS: ("admin:credits_page", "admin:credits_guide", "admin:index"),
    Act.VIEW_RESULTS: (
        *lists("trackers", "scan"),
        "admin:trackers_scan_by",
        "admin:trackers_scan_export",
    ),
    Act.VIEW_LEDGER: (
        *lists("credits", *LEDGER),
        "admin:ledger_entry",
        "admin:ledger_explanation",
    ),
    Act.EXPORT_REPORTS: (
        *lists("credits", "exportjob"),
        "admin:credits_reports",
        "admin:credits_usageevent_export",
        "admin:credits_ledgerentry_export",
        "admin:billing_purchase_export",
        "admin:credits_exportjob_download",
        "admin:credits_exportjob_rerun",
    ),
    Act.CANCEL_EXPORTS: ("admin:credits_exportjob_cancel",),
    Act.VIEW_RATES: lists("credits", "ratecard"),
    Act.VIEW_TRACKERS: (
        *lists("trackers", "tracker", "backfill"),
        "admin:trackers_tracker_change",
        "admin:trackers_tracker_history",
        "admin:trackers_tracker_export",
        "admin:trackers_suggestion_changelist",
        "admin:trackers_backfill_progress",
        "admin:trackers_waiting",
    ),
    Act.VIEW_CONVERSATIONS: lists("trackers", *SAID),
    Act.IMPORT_CONVERSATIONS: (
        *lists("trackers", "importupload"),
        "admin:trackers_importupload_add",
        "admin:trackers_importupload_confirm",
    ),
    Act.ERASE_CONVERSATIONS: (
        "admin:trackers_conversation_erase",
        "admin:trackers_conversation_erase-address",
        "admin:trackers_conversation_retention",
        "admin:trackers_teammember_erase",
    ),
    Act.VIEW_BRIEFS: lists("trackers", "brief", "briefrun"),
    Act.EDIT_BRIEFS: (
        "admin:trackers_brief_add",
        "admin:trackers_brief_change",
        "admin:trackers_brief_publish",
        "admin:trackers_brief_unpublish",
        "admin:trackers_brief_discard",
        "admin:trackers_brief_run",
    ),
    Act.ASK: ("admin:trackers_askrequest_ask",),
    Act.SWITCH_REUSE: ("admin:trackers_askrequest_reuse",),
    Act.VIEW_LLM: lists("trackers", "llmattempt"),
    Act.SWITCH_LLM: ("admin:trackers_llmattempt_switch",),
    Act.TEST_LLM: ("admin:trackers_llmattempt_test",),
    Act.VIEW_AUDIT: (*lists("credits", "auditevent"), "admin:credits_auditevent_export"),
    Act.EDIT_TRACKERS: (
        "admin:trackers_tracker_add",
        "admin:trackers_tracker_change",
        "admin:trackers_tracker_import",
        "admin:trackers_tracker_publish",
        "admin:trackers_tracker_discard",
        "admin:trackers_tracker_unpublish",
        "admin:trackers_tracker_backfill",
        "admin:trackers_tracker_narrow",
        "admin:trackers_tracker_undo",
        "admin:trackers_scan_judge",
        "admin:trackers_suggestion_apply",
        "admin:trackers_backfill_stop",
        "admin:trackers_backfill_pause",
        "admin:trackers_backfill_resume",
        "admin:trackers_waiting_decide",
    ),
    Act.VIEW_SCHEDULE: lists("credits", "jobrun"),
    Act.VIEW_COMPANIES: (*lists("credits", *PEOPLE), "admin:credits_company_change"),
    Act.GRANT_CREDITS: ("admin:credits_creditgrant_add",),
    Act.CORRECT_CREDITS: (
        "admin:credits_creditgrant_cancel",
        "admin:credits_creditgrant_void",
        "admin:credits_creditgrant_adjust",
        "admin:credits_usageevent_refund",
    ),
    Act.EDIT_RATES: ("admin:credits_ratecard_add",),
    Act.VIEW_BILLING: lists("billing", "contract", "seatcount", "allocation", "purchase"),
    Act.REQUEST_CREDITS: ("admin:billing_purchase_request",),
    Act.MANAGE_KEYS: (
        *lists("credits", "apikey"),
        "admin:credits_apikey_add",
        "admin:credits_apikey_rotate",
        "admin:credits_apikey_revoke",
    ),
    Act.VIEW_LIMITS: lists("credits", "spendinglimit"),
    Act.SET_LIMITS: (
        "admin:credits_spendinglimit_add",
        "admin:credits_spendinglimit_set",
        "admin:credits_spendinglimit_end",
    ),
    Act.SELL_CREDITS: (
        "admin:billing_purchase_add",
        "admin:billing_purchase_fulfil",
        "admin:billing_purchase_cancel",
        "admin:billing_purchase_void",
    ),
    Act.APPROVE_PURCHASES: ("admin:billing_purchase_approve",),
    Act.EDIT_CONTRACTS: (
        "admin:billing_contract_add",
        "admin:billing_contract_terms",
        "admin:billing_contract_seats",
        "admin:billing_contract_top-up",
    ),
    Act.EDIT_COMPANIES: (
        "admin:credits_company_add",
        "admin:credits_company_change",
        "admin:credits_company_close",
        "admin:credits_company_zone",
        "admin:credits_company_invite",
        "admin:credits_user_add",
        "admin:credits_user_change",
        "admin:credits_user_remove",
        "admin:credits_membership_add",
        "admin:credits_membership_change",
        "admin:credits_membership_delete",
    ),
}
# A page that opens for those who may see, and does more for those who may change.
SEEN_ONLY = {
    (Act.VIEW_TRACKERS, "admin:trackers_tracker_change"),
    (Act.VIEW_COMPANIES, "admin:credits_company_change"),
}
# An address that only takes a form: nothing opens there.
WITHOUT_A_PAGE = {"admin:credits_company_invite"}
REFUSED = {403, 404}


def written() -> dict[Standing, frozenset[Act]]:
    table: dict[Standing, set[Act]] = {standing: set() for standing in STANDINGS}
    for line in WRITTEN.strip().splitlines():
        words, cells = line[:46].strip(), line[46:].split()
        for standing, cell in zip(STANDINGS, cells, strict=True):
            if cell == "x":
                table[standing].add(Act(words))
    return {standing: frozenset(acts) for standing, acts in table.items()}


def test_the_roles_are_those_of_the_written_table():
    assert written() == roles.MATRIX


def test_the_written_table_and_the_places_name_every_act():
    assert len(WRITTEN.strip().splitlines()) == len(Act)
    assert set(PLACES) == set(Act)
    assert {place for places in PLACES.values() for place in places} <= {
        route.name for route in every_route()
    }


MAKE: dict[Standing, Callable[[Company], User]] = {
    Standing.VENDOR_STAFF: lambda company: people.vera(),
    Standing.VENDOR_AUDITOR: lambda company: people.audrey(),
    Standing.BUSINESS_ADMIN: people.bob,
    Standing.VIEWER: people.vic,
}


@pytest.mark.parametrize("standing", STANDINGS)
def test_each_cell_is_proven_by_requests(watch, standing):
    acme = people.company("Acme")
    JobRun.objects.create(name="settle", period="2026-11-24T10:00:00Z")
    alice = people.alice(acme)
    user = alice if standing == Standing.TECH_ADMIN else MAKE[standing](acme)
    client = signed_in(user, acme)
    # Whoever usually does an act, here it is tried by this one person.
    world = World(acme, alice, user, as_alice=client, as_vera=client)
    routes = {route.name: route for route in every_route()}

    proven = {
        (act, place): _tried(world, watch, act, routes[place])
        for act, places in PLACES.items()
        for place in places
    }

    assert proven == {
        (act, place): "may" if act in written()[standing] else "may not"
        for act, places in PLACES.items()
        for place in places
    }


def _tried(world: World, watch: Watch, act: Act, route: Route) -> str:
    """Try one act at one place, and undo it; say “may”, “may not”, or what went wrong."""
    with transaction.atomic():
        try:
            return _outcome(world, watch, act, route)
        finally:
            transaction.set_rollback(True)


def _outcome(world: World, watch: Watch, act: Act, route: Route) -> str:
    does = None if (act, route.name) in SEEN_ONLY else ACTS.get(route.name)
    prepared: Any = does.prepare(world) if does else world.backfill()
    address = route.address(world.acme)
    client = world.as_alice
    watch.changed()
    page = client.get(address)
    opened = page.status_code
    if page.streaming:
        page.getvalue()  # Read to its end, or the file stays open.
    if opened in REFUSED and route.name not in WITHOUT_A_PAGE:
        posted = client.post(address, crafted(route, world.acme)).status_code
        if posted not in (*REFUSED, 405) or watch.changed():
            return f"refused to open, and then answered {posted}"
        return "may not"
    if does is None:
        return "may" if opened == 200 else f"answered {opened}"
    before = set(AuditEvent.objects.values_list("pk", flat=True))
    answer = does.do(world, prepared)
    changed = watch.changed()
    if answer.status_code in REFUSED:
        # The page opens for those who may look; what it would do is refused.
        return f"refused, and yet changed {changed}" if changed else "may not"
    new = AuditEvent.objects.exclude(pk__in=before)
    done = sorted(new.values_list("action", flat=True))
    return "may" if done == sorted(does.actions) else f"left {done}"
