"""Over 200 hostile texts × three reports × three formats: nothing runs, figures stay figures.

Every text a person or a client can put into a report is hostile here: feature names, integration
names, the company's own name. The corpus is ``tests/support/hostile.py``.
"""

from __future__ import annotations

import csv
import io
import json
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing import fulfilment
from billing.reports import PurchaseHistoryReport
from config.demo.clock import seeded_clock
from credits import charging
from credits.ledger import Use
from credits.models import Company, Integration
from credits.rating import Work
from credits.reports.balance import CreditBalanceReport
from credits.reports.usage import CreditUsageReport
from tests.support import people
from tests.support.hostile import CELLS
from tests.support.sheets import cells, converted, formulas, kinds, written

pytestmark = pytest.mark.django_db

REPORTS = [CreditUsageReport, CreditBalanceReport, PurchaseHistoryReport]
# The kind of each column, empty ones aside; nothing of it depends on what a text says.
KINDS = {
    "credit-usage": [
        *("time", "text", "text", "text", "text", "text", "number", "text", "number"),
    ],
    "credit-balance": ["day", "text", "text", "number", "number", "number"],
    "purchase-history": ["time", "number", "day", "day", "number"],
}
RUN_BY_A_SPREADSHEET = tuple("=+-@\t\r\n|＝＋－＠")


@pytest.fixture
def acme():
    """A company whose every name is hostile: one use and one purchase a text."""
    with seeded_clock(datetime(2026, 3, 28, 23, 30, tzinfo=UTC)) as clock:
        company, vera = people.company(), people.vera()
        Company.objects.filter(pk=company.pk).update(name="=cmd|' /C calc'!A0")
        company.refresh_from_db()
        people.credits_for(company, "1000")
        for place, text in enumerate(CELLS):
            desk = Integration.objects.create(company=company, name=text, kind="API")
            charging.charge(
                company=company,
                use=Use("ASK", text, None, "API_REQUEST", desk.pk, user_ref=uuid.uuid4()),
                work=Work(long_calls=place % 2, emails_with_text=1, request_count=1 + place % 3),
                rates=people.rates(),
            )
            fulfilment.record(
                company=company,
                amount=Decimal("0.125"),
                by=vera,
                starts_on=date(2026, 3, 29),
                ends_on=date(2027, 3, 28),
                now=clock.instant,
                order_reference=f"{place} {text[:150]}",
                note=text,
            )
        yield company


def test_the_corpus_is_large_and_each_text_its_own():
    assert len(set(CELLS)) == len(CELLS) >= 200


def test_no_cell_runs_and_every_cell_keeps_its_kind(acme):
    counted = 0
    for report in REPORTS:
        csv_file = written(report(company=acme)).decode()
        rows = list(csv.reader(io.StringIO(csv_file, newline="")))
        found = json.loads(written(report(company=acme), file_format="json"))
        book = written(report(company=acme), file_format="xlsx")

        assert len(rows) > len(CELLS)
        assert [list(row.values()) for row in found] == rows[1:]
        assert not [cell for row in rows for cell in row if cell.startswith(RUN_BY_A_SPREADSHEET)]
        assert formulas(book) == []
        assert kinds(book, report.title) == KINDS[report.slug]
        counted += 3 * (len(rows) - 1)

    assert counted > 9 * len(CELLS)


def test_the_texts_arrive_whole_behind_their_apostrophe(acme):
    rows = list(
        csv.reader(io.StringIO(written(CreditUsageReport(company=acme)).decode(), newline=""))
    )
    book = written(CreditUsageReport(company=acme), file_format="xlsx")

    # One that begins so behind apostrophes of its own has one more, too: the first is ours.
    expected = [
        f"'{text}" if text.lstrip("'").startswith(RUN_BY_A_SPREADSHEET) else text for text in CELLS
    ]
    assert [row[2] for row in rows[1:]] == expected
    assert [row[4] for row in rows[1:]] == expected
    assert [unescaped(row[2]) for row in cells(book, "Credit usage")[1:]] == expected


def unescaped(text: str) -> str:
    """Undo what workbooks do to characters that XML cannot hold; openpyxl leaves it as it is."""
    from openpyxl.utils.escape import unescape

    return unescape(text)


@pytest.mark.debian
@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.slug)
def test_libreoffice_runs_nothing_either(acme, report, tmp_path):
    """The outside judge: both files opened by LibreOffice, and saved as a workbook again."""
    for extension in ("csv", "xlsx"):
        source = tmp_path / f"{report.slug}-{extension}.{extension}"
        source.write_bytes(written(report(company=acme), file_format=extension))

        opened = converted(source, "xlsx:Calc MS Excel 2007 XML", tmp_path / extension)

        assert formulas(opened.read_bytes()) == []


@pytest.mark.debian
@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.slug)
def test_libreoffice_shows_the_workbook_as_the_csv_is(acme, report, tmp_path):
    """Numbers and times are typed, yet what they show is the CSV's own text."""
    source = tmp_path / f"{report.slug}.xlsx"
    source.write_bytes(written(report(company=acme), file_format="xlsx"))

    shown = converted(source, "csv:Text - txt - csv (StarCalc):44,34,76,1", tmp_path / "out")

    rows = list(csv.reader(io.StringIO(shown.read_text(), newline="")))
    expected = list(csv.reader(io.StringIO(written(report(company=acme)).decode(), newline="")))
    assert len(rows) == len(expected)
    for place, column in enumerate(expected[0]):
        if column not in ("Feature name", "Integration"):
            assert [row[place] for row in rows] == [row[place] for row in expected]
