"""Workbooks longer than a sheet, figures longer than a number, and equal bytes."""

from __future__ import annotations

import io
import zipfile
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from credits.reports import workbook
from credits.reports.base import DayRange
from credits.reports.columns import AmountColumn
from credits.reports.usage import CreditUsageReport
from tests.support.exporting import company_with_use
from tests.support.sheets import cells, written

pytestmark = pytest.mark.django_db

EVERYTHING = DayRange()
CELLS = [
    [
        *(f"2026-10-02T08:05:0{place}+02:00", "AI Tracker", f"T{place}", "Continuous", "", ""),
        *("8.5", "Calls: 10, Emails: 26, Web searches: 0", ""),
    ]
    for place in range(5)
]


@pytest.fixture
def report():
    return CreditUsageReport(company=company_with_use())


def test_a_sheet_holds_all_rows_but_the_one_of_the_headers():
    assert workbook.SHEET_ROWS_MAX == 2**20 - 1


def test_a_report_longer_than_a_sheet_is_split_into_a_zip_with_a_note(report):
    file = io.BytesIO()

    extension = workbook.write(
        report, CELLS, file, days=EVERYTHING, figures=None, row_count=5, sheet_rows_max=2
    )

    assert extension == "zip"
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == [
            "credit-usage-part-1-of-3.xlsx",
            "credit-usage-part-2-of-3.xlsx",
            "credit-usage-part-3-of-3.xlsx",
            "README.txt",
        ]
        assert archive.read("README.txt").decode() == (
            "Credit usage of Acme\r\n\r\n"
            "The report has 5 rows and a sheet holds 2, so it is in\r\n"
            "3 workbooks, to be read in the order of their numbers. Each has the\r\n"
            "headers and, on its sheet “Control”, the figures of the whole report.\r\n"
        )
        books = [archive.read(name) for name in archive.namelist()[:3]]
    names = [[row[2] for row in cells(book, "Credit usage")] for book in books]
    assert names == [
        ["Feature name", "T0", "T1"],
        ["Feature name", "T2", "T3"],
        ["Feature name", "T4"],
    ]
    assert [cells(book, "Control")[1][1] for book in books] == [
        "1 of 3: rows 1 to 2",
        "2 of 3: rows 3 to 4",
        "3 of 3: rows 5 to 5",
    ]


def test_a_report_that_just_fits_is_one_workbook(report):
    file = io.BytesIO()

    extension = workbook.write(
        report, CELLS, file, days=EVERYTHING, figures=None, row_count=5, sheet_rows_max=5
    )

    assert extension == "xlsx"
    assert len(cells(file.getvalue(), "Credit usage")) == 6


def test_equal_reports_are_equal_files(report):
    first, second = (written(report, file_format="xlsx") for _ in range(2))

    assert first == second


@pytest.mark.parametrize(
    ("cell", "typed"),
    [
        ("8.5", Decimal("8.5")),
        ("0.0", Decimal("0.0")),
        ("999999999999.999", Decimal("999999999999.999")),
        ("1000000000000.0", Decimal("1000000000000.0")),
        # Sixteen digits: a spreadsheet would show another figure.
        ("1234567890123.456", "1234567890123.456"),
    ],
)
def test_a_figure_is_a_number_unless_a_spreadsheet_would_round_it(cell, typed):
    column = AmountColumn("# of credits", "amount")

    assert column.typed(cell) == typed
    assert column.cell(Decimal(cell), ZoneInfo("UTC")) == cell
