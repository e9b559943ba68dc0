"""Keep conversations as long as their company does, and no longer (SPEC §10).

Requests to a language model hold no word of them, and are kept so long that a year's bill of its
provider can be held against them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from credits import origins
from credits.models import Company
from trackers import erasure, erasure_requests
from trackers.models import LlmAttempt

REASON = "The company keeps conversations no longer."
# What one night erases, and how long it takes: the next night goes on.
CONVERSATIONS_MAX = 20_000
AT_ONCE = 500
TIME_MAX = timedelta(minutes=10)
REQUESTS_KEPT = timedelta(days=400)
REQUESTS_MAX = 1_000_000
REQUESTS_AT_ONCE = 10_000


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


def forget_requests(*, clock: Callable[[], datetime]) -> int:
    """Remove the oldest requests to a language model that are no longer kept; return how many.

    Bounded in number and time. What is not reached is the next night's.
    """
    began = clock()
    count = 0
    while count < REQUESTS_MAX and clock() - began < TIME_MAX:
        oldest = LlmAttempt.objects.filter(begun_at__lt=began - REQUESTS_KEPT).order_by("begun_at")
        removed, _ = LlmAttempt.objects.filter(
            pk__in=list(oldest.values_list("pk", flat=True)[:REQUESTS_AT_ONCE])
        ).delete()
        count += removed
        if removed < REQUESTS_AT_ONCE:
            break
    return count
