"""How many API requests a company may make; counted in the database (credits/rate_limits.py)."""

from __future__ import annotations

from config.environment import Environment

PER_SECOND_MAX, PER_DAY_MAX = 1000, 1_000_000_000


def read(env: Environment, kind: str, what: str, *, second: int, day: int) -> tuple[int, int]:
    """Return the most requests of a kind in any second, and in a day of UTC."""
    per_second = env.number(
        f"TALLYSTICK_API_{kind}_PER_SECOND",
        second,
        f"API requests a company may {what} in any second; {PER_SECOND_MAX:,} at most.",
        minimum=1,
        maximum=PER_SECOND_MAX,
    )
    per_day = env.number(
        f"TALLYSTICK_API_{kind}_PER_DAY",
        day,
        f"API requests a company may {what} in a day of UTC.",
        minimum=1,
        maximum=PER_DAY_MAX,
    )
    return per_second, per_day
