"""Keep conversations as long as their company does, and no longer (SPEC §10)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from credits import origins
from credits.models import Company
from trackers import erasure, erasure_requests

REASON = "The company keeps conversations no longer."
# What one night erases, and how long it takes: the next night goes on.
CONVERSATIONS_MAX = 20_000
AT_ONCE = 500
TIME_MAX = timedelta(minutes=10)


def erase_old(*, clock: Callable[[], datetime]) -> int:
    """Erase what is too old, the oldest first; return how many conversations that were.

    Bounded in number and time. What is not reached is the next night's.
    """
    began = clock()
    count = 0
    with origins.coming_from(origins.of_task("retain")):
        for company in Company.objects.filter(retention__days__isnull=False).order_by("pk"):
            while count < CONVERSATIONS_MAX and clock() - began < TIME_MAX:
                now = clock()
                request = erasure_requests.by_retention(company=company, now=now, at_most=AT_ONCE)
                if request is None:
                    break
                erased = erasure.erase(request=request, by=None, reason=REASON, now=now)
                count += erased.conversations
    return count
