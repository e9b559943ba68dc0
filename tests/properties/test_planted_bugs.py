"""The state machine finds bugs: each is one text replaced in the SQL of one function.

Green without the patch and with the same seed (``test_ledger_machine``); with it the named
invariant or comparison fails, and nothing else will do.
"""

from __future__ import annotations

import pytest
from hypothesis import Phase

from tests.properties.test_ledger_machine import machine, run  # noqa: F401
from tests.support.planting import plant

# Function, the text in its body, the bug put in its place, and what must notice.
BUGS = {
    "a lapsed hold can still be captured": (
        "ledger_settle_due",
        "state = 'OPEN' AND lapses_at <= context.instant",
        "state = 'OPEN' AND lapses_at <= context.instant - interval '1 hour'",
        "BALANCE differs",
    ),
    "the lot that expires last is spent first": (
        "ledger_take",
        "ORDER BY priority, expires_at NULLS LAST,",
        "ORDER BY priority, expires_at DESC NULLS FIRST,",
        "LOTS differ",
    ),
    "a partial capture keeps the rest reserved": (
        "ledger_capture",
        "context.reserved := context.reserved - reservation.amount;",
        "context.reserved := context.reserved - p_amount;",
        "BALANCE differs",
    ),
    "credits that come back to an expired lot stay": (
        "ledger_return",
        "ELSIF lot.expired_at IS NOT NULL THEN",
        "ELSIF false THEN",
        "BALANCE differs",
    ),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found_by_the_check_that_names_it(machine, name):  # noqa: F811
    function, text, bug, noticed_by = BUGS[name]
    plant(function, text, bug)

    # Without shrinking: the first failure is the finding.
    with pytest.raises(AssertionError) as failure:
        run(machine, phases=(Phase.generate,))

    assert noticed_by in str(failure.value)
