"""The zone a company has, the one it gets, and when: rows that are kept as they were decided."""

from __future__ import annotations

import pytest
from django.utils import timezone

from billing import tasks, zone_changes
from billing.models import ZoneChange
from credits.models import JobRun
from tests.billing.test_zoning import PAGO_PAGO, at, move, seated_in, zone_of
from tests.support.breaking import copy_refused_by, refused_by, update_refused_by


def test_the_zone_stays_until_the_running_period_ends(clock, vera):
    acme = seated_in("Europe/Berlin", clock)

    change = move(acme, clock, vera, "America/Los_Angeles", "2026-03-10T09:00")

    assert change.effective_at == at("2026-03-31T22:00")
    assert change.applied_at is None
    assert zone_of(acme) == "Europe/Berlin"
    assert zone_changes.apply_all(now=at("2026-03-31T21:59:59")) == 0
    assert zone_of(acme) == "Europe/Berlin"
    assert zone_changes.apply_all(now=at("2026-03-31T22:00")) == 1
    assert zone_of(acme) == "America/Los_Angeles"
    assert zone_changes.apply_all(now=at("2026-03-31T22:01")) == 0


def test_a_period_from_the_boundary_on_is_in_the_new_zone_before_any_job_ran(clock, vera):
    acme = seated_in("Europe/Berlin", clock)
    change = move(acme, clock, vera, PAGO_PAGO, "2026-03-10T09:00")

    zones = [
        zone_changes.zone_from(acme, change, at(instant))
        for instant in ("2026-03-31T21:59:59", "2026-03-31T22:00")
    ]

    assert zones == ["Europe/Berlin", PAGO_PAGO]


def test_the_job_runs_once_a_minute_and_counts_what_it_changed(clock, vera, monkeypatch):
    acme = seated_in("Europe/Berlin", clock)
    change = move(acme, clock, vera, PAGO_PAGO, "2026-03-10T09:00")

    for instant in ("2026-03-31T21:59", "2026-03-31T22:00:10", "2026-03-31T22:00:50"):
        monkeypatch.setattr(timezone, "now", lambda instant=instant: at(instant))
        tasks.change_zones()

    change.refresh_from_db()
    assert change.applied_at == at("2026-03-31T22:00:10")
    assert zone_of(acme) == PAGO_PAGO
    assert JobRun.objects.get(name="change_zones").summary == "1 company changed"
    assert ZoneChange.objects.count() == 1


BROKEN = {
    "zone_change_names_another_zone": {"after": "Europe/Berlin"},
    "zone_change_counts_when_it_is_due_or_never": {"applied_at": at("2026-03-31T21:00")},
    "zone_change_is_not_rewritten": {"after": "UTC"},
}


@pytest.mark.parametrize("constraint", BROKEN)
def test_a_decision_that_contradicts_itself_is_refused(clock, vera, constraint):
    acme = seated_in("Europe/Berlin", clock)
    change = move(acme, clock, vera, PAGO_PAGO, "2026-03-10T09:00")

    if constraint == "zone_change_names_another_zone":
        copy = {"id": vera.public_id, "withdrawn_at": clock()}
        assert copy_refused_by(change, **copy, **BROKEN[constraint]) == constraint
    else:
        assert update_refused_by(change, **BROKEN[constraint]) == constraint


def test_a_company_has_one_change_ahead_and_decisions_are_kept(clock, vera):
    acme = seated_in("Europe/Berlin", clock)
    change = move(acme, clock, vera, PAGO_PAGO, "2026-03-10T09:00")

    assert copy_refused_by(change, id=vera.public_id) == "a_company_has_one_zone_change_ahead"
    deleted = refused_by("DELETE FROM billing_zonechange WHERE id = %s", [change.pk])
    assert deleted == "zone_change_is_never_deleted"
