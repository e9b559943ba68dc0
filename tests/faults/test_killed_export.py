"""A worker killed with -9 while it prepares a report loses nothing and leaves one file."""

from __future__ import annotations

import os
import signal
from datetime import timedelta

import pytest
from django.utils import timezone

from credits import exports
from credits.models import ExportJob
from credits.reports.usage import CreditUsageReport
from tests.faults.points import EXPORT_POINTS
from tests.support import people
from tests.support.exporting import asked_for, company_with_use
from tests.support.processes import celery_worker, kill, wait_until
from tests.support.sheets import written


@pytest.mark.parametrize("point", EXPORT_POINTS)
def test_an_export_whose_worker_is_killed_is_prepared_by_the_next(
    committed, tmp_path, settings, monkeypatch, point
):
    settings.EXPORTS = tmp_path / "exports"
    monkeypatch.setitem(os.environ, "TALLYSTICK_EXPORTS", str(settings.EXPORTS))
    acme = company_with_use()
    fault = tmp_path / "reached"
    environment = {"FAULT_POINT": point, "FAULT_FILE": str(fault)}

    with celery_worker(committed, include="tests.faults.points", environment=environment) as doomed:
        job = asked_for(acme, people.alice(acme), now=timezone.now())
        wait_until(fault.exists, f"the worker to get to the point “{point}”")
        kill(doomed, signal.SIGKILL)
    later = timezone.now() + exports.LEASE + timedelta(seconds=1)
    let_the_lease_run_out(job)
    exports.sweep(now=timezone.now())
    with celery_worker(committed):
        wait_until(lambda: state(job) == "READY", "the second worker to prepare it")

    ready = ExportJob.objects.get(pk=job.pk)
    assert exports.path_of(ready).read_bytes() == written(CreditUsageReport(company=acme))
    exports.clean_up(now=later + exports.ABANDONED)
    assert [path.name for path in settings.EXPORTS.iterdir()] == [ready.file_name]


def state(job) -> str:
    return ExportJob.objects.values_list("state", flat=True).get(pk=job.pk)


def let_the_lease_run_out(job) -> None:
    """What five minutes would do."""
    ExportJob.objects.filter(pk=job.pk, state="PREPARING").update(
        leased_until=timezone.now() - timedelta(seconds=1)
    )
