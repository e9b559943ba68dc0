"""The machine's client: it sends keys, repeats itself, and loses the server in the middle of acts.

The server's process ends itself at a named point within the act, by a trigger that only the
tests' databases have: what it did is gone, and the same key has to do it once. At the last point
the act is committed and its answer is lost: the same key has to find it done.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import OperationalError, connection
from hypothesis import strategies as st

from credits.ledger import IdempotencyConflict, Key

AFTER_THE_COMMIT = "after the commit, before the answer"
# Each point: after which change of which table the server's process ends.
POINTS = {
    "after the entry": "INSERT ON credits_ledgerentry",
    "after its drawdowns": "INSERT ON credits_drawdown",
    "after the use": "INSERT ON credits_usageevent",
    "after the holds": "INSERT ON credits_hold",
    "after a lot was drawn on": "UPDATE ON credits_creditgrant",
    "after the pool, before the commit": "UPDATE ON credits_creditpool",
}
WAYS = st.sampled_from(["plain"] * 8 + ["keyed"] * 8 + ["crash"])
ALL_POINTS = (*POINTS, AFTER_THE_COMMIT)
# The points that a kind of act passes, where it is not refused; a point that few pass more often.
PASSED = tuple(one for one in ALL_POINTS if one not in ("after the use", "after the holds"))
PASSED_BY = {
    "RESERVE": ALL_POINTS[ALL_POINTS.index("after the holds") :],
    "CHARGE": PASSED + ("after the use",) * 5,
    "CAPTURE": PASSED + ("after the use",) * 5,
}


def install_points() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION fault_strike() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF current_setting('fault.point', true) = TG_ARGV[0] THEN"
            "   PERFORM pg_terminate_backend(pg_backend_pid());"
            " END IF; RETURN NULL; END $$"
        )
        for number, (point, change) in enumerate(POINTS.items()):
            cursor.execute(
                f"CREATE TRIGGER fault_{number} AFTER {change}"
                f" FOR EACH STATEMENT EXECUTE FUNCTION fault_strike('{point}')"
            )


@dataclass
class Sent:
    """A request that was done; without a body of its own where an id is its key."""

    call: Any
    key: Key
    made: Any
    has_body: bool


class RetryingActs:
    """Part of ``LedgerMachine``."""

    crashes: Counter[str] = Counter()

    def again(self, data):
        """The same key with the same body, however long after: the first result and no effect."""
        sent = data.draw(st.sampled_from(self.sent[-12:]))
        found = []
        outcome = self._outcome(lambda: found.append(sent.call(sent.key).pk))
        assert (outcome, found) == ("OK", [sent.made]), "KEY differs"
        self._compare()

    def another_body(self, data):
        if not (fit := [one for one in self.sent if one.has_body]):
            return
        sent = data.draw(st.sampled_from(fit[-12:]))
        with pytest.raises(IdempotencyConflict):
            sent.call(Key(sent.key.text, hashlib.sha256(b"another").digest()))
        self._compare()

    def _sent(self, data, call, *, of):
        """Make a request as a client does, sometimes with a key, at times through a crash.

        ``of`` is the kind of act. Each kind numbers its own requests, so that most texts, and half
        of the bodies, are those of another kind's key, too.
        """
        way = data.draw(WAYS)
        if way == "plain":
            return call(None)
        self.key_counts[of] += 1
        number = self.key_counts[of]
        key = Key.of(f"request {number}", number=number, of=number % 2 and of)
        try:
            if way == "crash" and not self._survives(self._point(data, of), call, key):
                # Nothing of it is left; now it is done.
                self._compare()
            row = call(key)
        except (IdempotencyConflict, ObjectDoesNotExist) as error:
            raise AssertionError(f"KEY differs: {key.text} is that of another act") from error
        # A capture's key is its reservation, whatever it is to capture.
        self.sent.append(Sent(call, key, row.pk, has_body=of != "CAPTURE"))
        return row

    def _point(self, data, of) -> str:
        """Draw one that such an act passes.

        What is drawn repeats itself, because Hypothesis copies parts of an example: the requests'
        number turns it on, so that each point is met in the sequences of one run.
        """
        passed = PASSED_BY.get(of, PASSED)
        return passed[(data.draw(st.integers(0, 59)) + self.key_counts[of]) % len(passed)]

    def _survives(self, point, call, key) -> bool:
        """Run the act into the point; tell whether it was done."""
        if point == AFTER_THE_COMMIT:
            made = call(key).pk
            connection.close()
            type(self).crashes[point] += 1
            assert call(key).pk == made, "KEY differs"
            return True
        with connection.cursor() as cursor:
            cursor.execute(f"SET fault.point = '{point}'")
        try:
            call(key)
        except OperationalError:
            connection.close()
            type(self).crashes[point] += 1
            return False
        finally:
            if connection.connection is not None and not connection.connection.closed:
                with connection.cursor() as cursor:
                    cursor.execute("RESET fault.point")
        return True
