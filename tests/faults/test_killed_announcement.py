"""A worker killed with -9 while it announces an export: one e-mail, never two."""

from __future__ import annotations

import os
import signal

import pytest
from django.utils import timezone

from credits import exports
from credits.faults import Point
from credits.models import ExportJob
from tests.faults.points import MAIL_POINTS
from tests.support import mail_sink, people
from tests.support.exporting import asked_for, company_with_use
from tests.support.processes import celery_worker, kill, wait_until

TAKEN = Point.MAILED


@pytest.mark.parametrize("point", MAIL_POINTS)
def test_an_export_whose_announcer_is_killed_is_announced_once(
    committed, tmp_path, settings, monkeypatch, point
):
    settings.EXPORTS = tmp_path / "exports"
    monkeypatch.setitem(os.environ, "TALLYSTICK_EXPORTS", str(settings.EXPORTS))
    acme = company_with_use()
    alice = people.alice(acme)
    fault = tmp_path / "reached"

    with mail_sink.listening() as sink:
        mail = {"TALLYSTICK_EMAIL_URL": f"smtp+plain://127.0.0.1:{sink.port}"}
        faulty = mail | {"FAULT_POINT": point, "FAULT_FILE": str(fault)}
        with celery_worker(committed, include="tests.faults.points", environment=faulty) as doomed:
            job = asked_for(acme, alice, now=timezone.now())
            wait_until(fault.exists, f"the worker to get to the point “{point}”")
            kill(doomed, signal.SIGKILL)
        exports.sweep(now=timezone.now())
        with celery_worker(committed, environment=mail):
            # Another export, so that the worker is known to have come past the first.
            other = asked_for(acme, alice, now=timezone.now(), file_format="json")
            wait_until(lambda: mailed(other), "the second worker to announce the other export")

        subjects = [letter.get_content().split("is ready: ")[1] for letter in sink.messages]

    assert sorted(subject.splitlines()[0].rpartition(".")[2] for subject in subjects) == [
        *("csv", "json"),
    ]
    assert ExportJob.objects.get(pk=job.pk).state == "READY"
    assert mailed(job) == (point != TAKEN)


def mailed(job) -> bool:
    return ExportJob.objects.filter(pk=job.pk, mailed_at__isnull=False).exists()
