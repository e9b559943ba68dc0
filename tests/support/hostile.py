"""Cells that a spreadsheet could run, break on, or read as something else; written by us."""

from __future__ import annotations

# What begins a formula somewhere, alone and behind what a program may strip or fold.
STARTS = [
    "=",
    "+",
    "-",
    "@",
    "\t=",
    "\r=",
    "\n=",
    "|",
    "＝",
    "＋",
    "－",
    "＠",
    "\r\n=",
    "\t+",
    "\n@",
]
PAYLOADS = [
    "1+1",
    "SUM(A1:A9)",
    "cmd|' /C calc'!A0",
    'HYPERLINK("http://127.0.0.1/?x="&A1,"See here")',
    'WEBSERVICE("http://127.0.0.1/"&A2)',
    "IMPORTXML(A1,B1)",
    'DDE("cmd";"/C calc";"x")',
    "2*3",
    "INDIRECT(A1)",
    "A1",
    "TRUE",
    '"a"&"b"',
    "{1,2}",
]
OTHERS = [
    # Would be read as figures, dates or truth, which they are not.
    *("1", "1.5", "1,000", "1e5", "0x10", "007", "50 %", "$1", "1/2", "3-4", "TRUE", "FALSE"),
    *("2026-01-02", "1 Jan", "10:30", "1E400", "NaN", "inf", "#N/A", "#REF!", "NULL", "nil"),
    # Would end the cell, the row, the sheet's markup or an escape.
    *('"', '""', '"""', '","', '"\n"', "a\nb", "a\rb", "a\r\nb", ",", ";", "\ta", "a\tb", "\\."),
    *(
        "<b>x</b>",
        "]]>",
        "&amp;",
        "&#61;1+1",
        "_x003D_1+1",
        "_x000D_",
        "\x01",
        "\x08=1",
        "\x1b[31m",
    ),
    *("'", "''", "'=1+1", "' =1", " =1+1", "  +1", "\u00a0=1", "\u200b=1", "\ufeff=1", "\u202e=1"),
    *("\ufffe", "\uffff", "\ud7ff", "\ue000", "\U0001f4b6", "é", "e\u0301", "ß", "\u2028", "\x7f"),
    *("''-1", "'＝1+1"),
    # Looks like a link, a file, another sheet, a macro.
    *("http://127.0.0.1/", "mailto:a@b.example", "file:///etc/hosts", "internal:Sheet1!A1"),
    *("external:x.xlsx", "javascript:alert(1)", "\\\\host\\share", "Control!A1", "[1]x!A1"),
    *("%0A=1", "%3D1+1", "${1+1}", "{{1+1}}", "`id`", "$(id)", ";id", "--", "/*", "DROP TABLE x"),
    "x" * 200,
    "=" * 200,
    '"' * 199,
]
CELLS = [*(start + payload for start in STARTS for payload in PAYLOADS), *OTHERS]
