"""CSV of accounts and deals, as CRMs and spreadsheets write it."""

from __future__ import annotations

import pytest

from trackers.importers import directory
from trackers.importers.reading import MemoryFile, TooManyRows


def read(content: bytes, **options):
    reader = directory.Reader([MemoryFile("crm.csv", content)], **options)
    rows = [(row.account, row.account_type, row.deal, row.stage) for row in reader]
    return rows, [str(bad) for bad in reader.bad_lines]


def test_columns_are_known_by_their_usual_names_in_any_order_and_case():
    rows, bad = read(
        b"Stage Name,Owner,OPPORTUNITY NAME,Account Name,Type\r\n"
        b"won,Rita,Robots,Globex,customer\r\n"
    )

    assert (rows, bad) == ([("Globex", "customer", "Robots", "won")], [])


def test_semicolons_quotes_and_a_byte_order_mark_are_read_as_spreadsheets_write_them():
    rows, bad = read(
        b'\xef\xbb\xbfAccount;Account type;Deal;Stage\r\n"Globex; Inc.";customer;;\r\n'
    )

    assert (rows, bad) == ([("Globex; Inc.", "customer", None, None)], [])


def test_tabs_separate_as_they_do_in_what_a_spreadsheet_copies():
    rows, bad = read(b"Account\tDeal\tStage\nGlobex, Inc.\tRobots; arms\twon\n")

    assert (rows, bad) == ([("Globex, Inc.", None, "Robots; arms", "won")], [])


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (b"Account,Type,Type,Deal", "2 columns for the account type, “Type” and “Type”"),
        (b"Account;Deal; Deal_Name ;DEAL", "3 columns for the deal, “Deal” and “Deal_Name” and"),
    ],
)
def test_two_columns_for_one_thing_are_refused_by_name(header, columns):
    rows, [bad] = read(header + b"\nGlobex,customer,prospect,Robots\n")

    assert rows == []
    assert bad.startswith(f"crm.csv, line 1: the first line has {columns}")
    assert bad.endswith("; keep one")


def test_columns_that_nobody_reads_may_be_there_twice():
    rows, bad = read(b"Owner,Account,Owner\nRita,Globex,Rita\n")

    assert (rows, bad) == ([("Globex", None, None, None)], [])


def test_an_empty_cell_says_nothing():
    rows, _ = read(b"Account,Account type,Deal\nGlobex,,Robots\n\n,,\n")

    assert rows == [("Globex", None, "Robots", None)]


def test_rows_that_contradict_each_other_are_left_out():
    rows, bad = read(
        b"Account,Account type,Deal,Stage\n"
        b"Globex,customer,Robots,won\n"
        b"Globex,prospect,,\n"
        b"Globex,customer,Robots,lost\n"
    )

    assert len(rows) == 1
    assert bad == [
        "crm.csv, line 3: account Globex came before with another type",
        "crm.csv, line 4: deal Robots of Globex came before in another stage",
    ]


BAD = {
    "no account column": (b"Name,Kind\na,b\n", "names no column “Account”"),
    "no account": (b"Account,Deal\n,Robots\n", "the account has no name"),
    "a stage without deal": (b"Account,Stage\nGlobex,won\n", "a stage needs the deal it is of"),
    "too long a name": (b"Account\n" + b"x" * 201 + b"\n", "should have at most 200 characters"),
    "Latin-1": (b"Account\nCaf\xe9\n", "the file is not in UTF-8; save it as CSV UTF-8"),
    "UTF-16": ("Account\nGlobex\n".encode("utf-16"), "is in UTF-16; save it as UTF-8"),
    "a workbook": (b"PK\x03\x04" + b"\0" * 99, "packed (ZIP); unpack it first"),
    "a NUL": (b"Account\nGlo\0bex\n", "NUL"),
    "a huge cell": (b"Account\n" + b"x" * 200_000 + b"\n", "line 2 is no CSV"),
    "a quote that never ends": (b'Account\n"Globex\nInitech', "should have no line break"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_said_in_one_sentence(case):
    content, sentence = BAD[case]

    rows, bad = read(content)

    assert rows == []
    assert sentence in bad[0]
    assert len(bad) == 1


def test_more_rows_than_allowed_are_refused():
    with pytest.raises(TooManyRows, match="more than 1 rows"):
        read(b"Account\na\nb\n", rows_max=1)
