"""A file of trackers has no lists to choose from: a wrong code is answered by the right ones."""

from __future__ import annotations

from tests.trackers.admin.conftest import signed_in
from tests.trackers.admin.test_tracker_files import look, rows


def test_a_code_that_is_none_is_answered_by_those_that_are(world):
    text = (
        "name,question,answer_type,side,part\n"
        "Part,x,,,middle\n"
        "Side,x,,NOBODY,\n"
        "Answer,x,Number,,\n"
        "Good,x,category,rep,first\n"
    )

    said = [what for _, what in rows(look(signed_in(world.alice), text))]

    assert said[:3] == [
        "“part” is “MIDDLE”; it should be WHOLE, FIRST or LAST.",
        "“side” is “NOBODY”; it should be ANY, REP or CUSTOMER.",
        "“answer_type” is “NUMBER”; it should be YES_NO, CATEGORY or TEXT.",
    ]
    assert said[3] == "Say how many minutes of a call, from 1 to 600."
