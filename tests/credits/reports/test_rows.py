"""How COPY's answer is read: whole rows whatever the parts, and a connection left fit for use."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest
from django.db import DatabaseError, connection
from hypothesis import given
from hypothesis import strategies as st

from credits.models import Company
from credits.reports import files, rows
from credits.reports.base import DayRange
from credits.reports.usage import CreditUsageReport
from tests.support import people
from tests.support.exporting import company_with_use

EVERYTHING = DayRange()
CELLS = st.text(st.sampled_from('ab",\n\r='), max_size=6)


def copied(cells) -> bytes:
    """Return rows as COPY sends them: quoted where needed, each ended by LF."""
    lines = []
    for row in cells:
        quoted = [
            '"' + cell.replace('"', '""') + '"' if set(cell) & set('",\n\r') else cell
            for cell in row
        ]
        lines.append(",".join(quoted) + "\n")
    return "".join(lines).encode()


@given(
    cells=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8),
    cuts=st.lists(st.integers(0, 200), max_size=6),
)
def test_rows_are_whole_however_they_are_cut_into_parts(cells, cuts):
    sent = copied(cells)
    places = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    parts = [sent[begin:end] for begin, end in pairwise(places)]

    found = list(rows._with_crlf(parts))

    expected = b"".join(copied([row]).removesuffix(b"\n") + b"\r\n" for row in cells)
    assert b"".join(content for _, content in found) == expected
    assert sum(count for count, _ in found) == len(cells)


def test_an_answer_that_ends_inside_a_row_is_refused():
    with pytest.raises(ValueError, match="middle of a row"):
        list(rows._with_crlf([b'a,"b\n']))


class Stopped(Exception):
    pass


@pytest.mark.django_db
def test_stopping_in_the_middle_leaves_the_connection_fit_for_use(monkeypatch):
    monkeypatch.setattr(rows, "PART_BYTES", 1)
    acme = company_with_use(count=5)

    def stop(row_count):
        if row_count == 2:
            raise Stopped

    with pytest.raises(Stopped):
        rows.write(CreditUsageReport(company=acme), EVERYTHING, io.BytesIO(), on_rows=stop)

    assert Company.objects.get(pk=acme.pk) == acme
    file, written = files.as_file(CreditUsageReport(company=acme), EVERYTHING)
    file.close()
    assert written.row_count == 5


@pytest.mark.django_db
def test_an_error_of_the_database_is_django_s_and_leaves_the_connection_fit():
    acme = people.company()
    report = CreditUsageReport(company=acme)
    report.statement = lambda found: ("SELECT 1 / 0", ())

    with pytest.raises(DatabaseError, match="division by zero"):
        rows.write(report, EVERYTHING, io.BytesIO())

    assert Company.objects.get(pk=acme.pk) == acme


@pytest.mark.django_db
def test_the_session_keeps_its_own_time_zone():
    acme = people.company(time_zone="Asia/Tokyo")

    rows.write(CreditUsageReport(company=acme), EVERYTHING, io.BytesIO())

    with connection.cursor() as cursor:
        cursor.execute("SHOW TimeZone")
        assert cursor.fetchone() == ("UTC",)
