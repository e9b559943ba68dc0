"""The gate before the language model: brakes that all processes share, and a record.

Note [Four brakes]
    Caps: what a run or a company's day has used, requests under way included at their estimate,
    is compared before each request, a company's one after the other. Concurrency: as many advisory
    locks as requests may run at once; a process that dies gives its lock up. Breaker: after several
    failures in a row the server is left alone for a while, longer each time, and then one request
    tries. A server that asks to wait is left alone by all for as long.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Sum
from django.utils import timezone

from trackers import locks
from trackers.analyzers.base import AnalyzerBusy, AnalyzerRefused
from trackers.analyzers.llm.endpoint import Dialect, Endpoint, Mode
from trackers.analyzers.llm.gate import Attempt
from trackers.models import LlmAttempt, LlmEndpoint, LlmOutcome, LlmPurpose, LlmSwitch

FAILURES_MAX = 5
PAUSE = timedelta(seconds=30)  # Doubled with each failure after that.
PAUSE_MAX = timedelta(minutes=10)
RATE_LIMITED = timedelta(seconds=30)  # Where the server does not say how long.
SLOT_SECONDS_MAX = 20.0
_POLL_SECONDS = 0.05
_INT32_MAX = 2**31 - 1
BROKEN = "The language model has failed several times in a row; it is asked again in {} or less."
ASKED_TO_WAIT = "The language model asked to wait; it is asked again in {} or less."
NO_SLOT = "The language model is busy with other requests of this site."
SWITCHED_OFF = "Your company has switched the language model off meanwhile; nothing more is sent."
SWITCHED_OFF_DELAY = timedelta(seconds=5)


class DatabaseGate:
    """Lets the requests of one piece of work through."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        company_id: int | None,
        purpose: LlmPurpose,
        run_ref: UUID,
        beat: Callable[[], object] | None = None,
        is_fresh: bool = False,
    ) -> None:
        """``is_fresh``: find out anew how the server is spoken to, and ask it even if it failed."""
        self.endpoint = endpoint
        self.purpose = purpose
        self._company_id = company_id
        self._run_ref = run_ref
        self._beat = beat
        self._is_fresh = is_fresh
        # Until when this work is the one that tries a server that is left alone.
        self._trying_until: datetime | None = None

    def dialect(self) -> Dialect | None:
        """Return how the server is spoken to; None while nobody found out."""
        row = None if self._is_fresh else self._rows().first()
        if row is None or not row.mode:
            return None
        return Dialect(Mode(row.mode), row.has_completion_tokens, row.has_temperature)

    def remember(self, dialect: Dialect) -> None:
        """Keep what was found out, for every process."""
        known = {
            "mode": dialect.mode.value,
            "has_completion_tokens": dialect.has_completion_tokens,
            "has_temperature": dialect.has_temperature,
        }
        LlmEndpoint.objects.update_or_create(
            digest=self.endpoint.digest,
            defaults=known,
            create_defaults=known | {"model": self.endpoint.model[:200]},
        )

    @contextmanager
    def attempt(self, *, tokens_in: int, tokens_out: int, mode: Mode) -> Iterator[Attempt]:
        """Let one request through, and put it on record when the block ends.

        :raises AnalyzerBusy: not now; nothing was sent.
        :raises AnalyzerRefused: a cap is reached; nothing was sent.
        """
        if self._beat is not None:
            self._beat()
        with self._slot():
            row = self._begin(tokens_in=tokens_in, tokens_out=tokens_out, mode=mode)
            attempt, began = Attempt(), time.monotonic()
            try:
                yield attempt
            finally:
                self._finish(row, attempt, time.monotonic() - began)

    def _begin(self, *, tokens_in: int, tokens_out: int, mode: Mode) -> LlmAttempt:
        """Put a request on record as under way, unless it may not be sent."""
        with transaction.atomic():
            if self._company_id is not None:
                # Else several at once would each find room for one.
                locks.queue_for(f"language model {self._company_id}")
                self._refuse_where_switched_off()
                self._refuse_above_caps(self._company_id, tokens_in + tokens_out)
            self._refuse_while_left_alone()
            return LlmAttempt.objects.create(
                company_id=self._company_id,
                purpose=self.purpose,
                run_ref=self._run_ref,
                model=self.endpoint.model[:200],
                mode=mode.value,
                outcome=LlmOutcome.RUNNING,
                tokens_in=tokens_in,
                tokens_out=tokens_out,
                is_estimated=True,
                begun_at=timezone.now(),
            )

    def _finish(self, row: LlmAttempt, attempt: Attempt, seconds: float) -> None:
        """Write down how it ended, and what that says about the server.

        Of one that was interrupted nobody knows: it stays under way, at what it may have used.
        """
        if attempt.outcome is None:
            return
        outcome = LlmOutcome(attempt.outcome.value)
        row.outcome = outcome
        row.latency_ms = min(round(seconds * 1000), _INT32_MAX)
        row.request_id = attempt.request_id
        is_counted = attempt.tokens_in is not None and attempt.tokens_out is not None
        row.is_estimated = attempt.is_estimated or (outcome in _MAY_BE_BILLED and not is_counted)
        if outcome in _UNBILLED:
            row.tokens_in = row.tokens_out = 0
        else:
            row.tokens_in = row.tokens_in if attempt.tokens_in is None else attempt.tokens_in
            # Of an answer that never came nobody knows more than that it could be billed.
            row.tokens_out = attempt.tokens_out or 0
        row.save()
        if outcome in _OUTAGES:
            self._failed()
        elif outcome == LlmOutcome.RATE_LIMITED:
            after = attempt.retry_after_seconds
            self._wait(RATE_LIMITED if after is None else timedelta(seconds=after))
        elif outcome != LlmOutcome.MODE_REFUSED:
            self._answered()

    def _refuse_where_switched_off(self) -> None:
        """Send nothing of a company from the moment it says so, in the middle of a call too."""
        if self.purpose == LlmPurpose.CONNECTION:
            return  # None of its text.
        if not LlmSwitch.objects.filter(company=self._company_id, is_on=True).exists():
            raise AnalyzerBusy(SWITCHED_OFF, retry_after=SWITCHED_OFF_DELAY)

    def _refuse_above_caps(self, company_id: int, tokens: int) -> None:
        now = timezone.now()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        of_run = _used(run_ref=self._run_ref)
        of_day = _used(company=company_id, begun_at__gte=midnight)
        if of_run + tokens > self.endpoint.run_tokens:
            raise AnalyzerRefused(
                f"This has used {of_run:,} tokens of the language model, and may use "
                f"{self.endpoint.run_tokens:,}. Choose less at once, or ask whoever runs this site."
            )
        if of_day + tokens > self.endpoint.day_tokens:
            raise AnalyzerBusy(
                f"Your company has used {of_day:,} tokens of the language model today, of "
                f"{self.endpoint.day_tokens:,} that a day allows. It goes on at 00:00 UTC.",
                retry_after=midnight + timedelta(days=1) - now,
            )

    def _refuse_while_left_alone(self) -> None:
        """Let nobody through while the server is left alone; then one first, to try.

        That one may need several requests to find out how the server is spoken to.
        """
        if self._is_fresh:
            return
        row = self._rows().first()
        if row is None or row.resume_at is None:
            return
        now = timezone.now()
        is_broken = row.failure_count >= FAILURES_MAX
        if row.resume_at > now and row.resume_at == self._trying_until:
            return
        if row.resume_at > now:
            raise AnalyzerBusy(
                (BROKEN if is_broken else ASKED_TO_WAIT).format(_in_words(row.resume_at - now)),
                retry_after=row.resume_at - now,
            )
        if is_broken:
            trial = timedelta(seconds=self.endpoint.timeout_seconds)
            is_mine = self._rows().filter(resume_at=row.resume_at).update(resume_at=now + trial)
            if not is_mine:
                raise AnalyzerBusy(BROKEN.format(_in_words(trial)), retry_after=trial)
            self._trying_until = now + trial

    @contextmanager
    def _slot(self) -> Iterator[None]:
        """Be one of the requests that may run at once; an advisory lock of the session each."""
        key = int(self.endpoint.digest[:7], 16)
        slots = list(range(self.endpoint.concurrency))
        random.shuffle(slots)
        until = time.monotonic() + SLOT_SECONDS_MAX
        while (mine := next((one for one in slots if _lock(key, one)), None)) is None:
            if time.monotonic() > until:
                raise AnalyzerBusy(NO_SLOT, retry_after=timedelta(seconds=5))
            time.sleep(_POLL_SECONDS)
        try:
            yield
        finally:
            _unlock(key, mine)

    def _failed(self) -> None:
        """Count a failure in a row, and leave the server alone after several."""
        LlmEndpoint.objects.get_or_create(
            digest=self.endpoint.digest, defaults={"model": self.endpoint.model[:200]}
        )
        self._rows().update(failure_count=F("failure_count") + 1)
        count = self._rows().values_list("failure_count", flat=True).get()
        if count >= FAILURES_MAX:
            pause = min(PAUSE * 2 ** min(count - FAILURES_MAX, 10), PAUSE_MAX)
            self._rows().update(resume_at=timezone.now() + pause)

    def _wait(self, wanted: timedelta) -> None:
        resume_at = timezone.now() + wanted
        LlmEndpoint.objects.get_or_create(
            digest=self.endpoint.digest, defaults={"model": self.endpoint.model[:200]}
        )
        self._rows().exclude(resume_at__gt=resume_at).update(resume_at=resume_at)

    def _answered(self) -> None:
        self._rows().filter(failure_count__gte=FAILURES_MAX).update(resume_at=None)
        self._rows().filter(failure_count__gt=0).update(failure_count=0)

    def _rows(self) -> Any:
        return LlmEndpoint.objects.filter(digest=self.endpoint.digest)


_OUTAGES = (
    LlmOutcome.SERVER_ERROR,
    LlmOutcome.TIMEOUT,
    LlmOutcome.UNREACHABLE,
    LlmOutcome.REJECTED,
)
# The server says that it did not do it.
_UNBILLED = (
    LlmOutcome.MODE_REFUSED,
    LlmOutcome.TOO_LONG,
    LlmOutcome.RATE_LIMITED,
    LlmOutcome.SERVER_ERROR,
    LlmOutcome.UNREACHABLE,
    LlmOutcome.REJECTED,
)
_MAY_BE_BILLED = tuple(one for one in LlmOutcome if one not in _UNBILLED)


def _used(**of: Any) -> int:
    found = LlmAttempt.objects.filter(**of).aggregate(
        sent=Sum("tokens_in", default=0), received=Sum("tokens_out", default=0)
    )
    return int(found["sent"] + found["received"])


def _lock(key: int, slot: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [key, slot])
        return bool(cursor.fetchone()[0])


def _unlock(key: int, slot: int) -> None:
    # A connection that broke meanwhile has given its locks up.
    with suppress(Exception), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [key, slot])


def _in_words(span: timedelta) -> str:
    seconds = max(round(span.total_seconds()), 1)
    if seconds < 60:
        return f"{seconds} second{'' if seconds == 1 else 's'}"
    minutes = -(-seconds // 60)
    return f"{minutes} minute{'' if minutes == 1 else 's'}"
