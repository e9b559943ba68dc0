"""What refuses a call, as the problem that the API answers with: the same codes and sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rest_framework.exceptions import AuthenticationFailed

from credits.api import answers, problems
from credits.api.problems import Problem
from credits.rate_limits import RateLimited
from credits.rating import NoRateCard
from trackers import asking, running_briefs
from trackers.api import charged
from trackers.mcp import acts


@contextmanager
def as_problems(*, entity: str = "entity") -> Iterator[None]:
    """Turn what an act raises into its problem; what nobody expected goes on up.

    ``entity`` is the argument that names what the tool is asked about.
    """
    try:
        with charged.refused(entity=entity, wrong=problems.INVALID_PARAMETER):
            yield
    except RateLimited as error:
        raise answers.rate_limited(error) from error
    except (asking.EmptyQuestion, asking.LongQuestion) as error:
        raise Problem(problems.INVALID_PARAMETER, f"question: {error}") from error
    except running_briefs.BriefRefused as error:
        raise Problem(problems.INVALID_PARAMETER, f"brief: {error}") from error
    except acts.UnknownBrief as error:
        raise Problem(problems.NOT_FOUND, str(error)) from error
    except AuthenticationFailed as error:
        raise Problem(problems.UNAUTHORIZED, str(error.detail)) from error
    except (NoRateCard, asking.TextErased) as error:
        raise Problem(problems.UNAVAILABLE, str(error)) from error
