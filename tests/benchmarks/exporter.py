"""Export one company's usage once: ``python -m tests.benchmarks.exporter COMPANY_ID FORMAT``.

Prints the seconds it took, the seconds of processor time, and the most memory it had, in MiB.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def main(company_id: str, file_format: str) -> None:
    django.setup()
    from credits.models import Company
    from credits.reports import files
    from credits.reports.base import DayRange
    from credits.reports.usage import CreditUsageReport

    report = CreditUsageReport(company=Company.objects.get(pk=company_id))
    began, worked = time.monotonic(), time.process_time()
    with tempfile.TemporaryFile() as file:
        files.write(report, DayRange(), file, file_format=file_format)
    print(time.monotonic() - began, time.process_time() - worked)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
