from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.trackers.analyzers.offline.samples import (
    BOSS_QUESTION,
    PRICE_LINES,
    PRICE_QUESTION,
    alice_says,
    asks_about_price,
    bob_says,
    calls,
    conversation,
    only,
)
from trackers.analyzers.base import (
    Calibration,
    Confidence,
    Finding,
    Kind,
    Side,
    Verdict,
)
from trackers.analyzers.offline.analyzer import OfflineAnalyzer
from trackers.analyzers.offline.calibration import StaleCalibration, with_combiners
from trackers.analyzers.offline.combiner import Combiner

CALIBRATION_BYTES_MAX = 64 * 1024


def stored(calibration: Calibration) -> Calibration:
    return replace(calibration, data=json.loads(json.dumps(calibration.data)))


def test_it_finds_the_calls_in_which_the_question_is_asked(analyzer, calibration):
    fresh = calls(160)[80:]

    verdicts = [only(analyzer, one, PRICE_QUESTION, calibration).verdict for one in fresh]

    right = [
        (verdict is Verdict.YES) == asks_about_price(index)
        for index, verdict in enumerate(verdicts)
    ]
    assert sum(right) >= 76


def test_the_best_quote_is_the_line_that_asks(analyzer, calibration):
    finding = only(analyzer, calls(161)[160], PRICE_QUESTION, calibration)

    assert finding.evidence[0].quote in PRICE_LINES
    assert len(finding.evidence) == 3


@pytest.mark.parametrize("side", Side)
def test_every_quote_is_cut_from_an_utterance_of_the_side_asked_about(analyzer, side):
    question = replace(PRICE_QUESTION, side=side)
    long_call = conversation(
        alice_says("First. " * 90 + "It costs forty euros. " + "Last. " * 90),
        bob_says("  Well…\n\nwhat is the price 🤔 then?\t"),
        name="long",
    )
    texts = {one.id: one for one in long_call.utterances}

    finding = only(analyzer, long_call, question, analyzer.calibrate([question], calls(60)))

    assert finding.evidence
    for passage in finding.evidence:
        utterance = texts[passage.utterance_id]
        assert utterance.text[passage.start : passage.end] == passage.quote
        assert side is Side.ANY or (utterance.id == "u0") == (side is Side.REP)


def test_words_of_the_other_side_change_nothing(analyzer, calibration):
    said = bob_says("We do all of this by hand today.")
    quiet = conversation(alice_says("Hello."), said)
    leading = conversation(alice_says("Shall I tell you the price? How much is it?"), said)

    quiet_finding = only(analyzer, quiet, PRICE_QUESTION, calibration)
    leading_finding = only(analyzer, leading, PRICE_QUESTION, calibration)

    assert quiet_finding == leading_finding


@pytest.mark.parametrize("silence", [(), (bob_says("… 🙂 !!"),), (alice_says("The price is 4."),)])
def test_a_side_that_says_nothing_is_a_sure_no(analyzer, calibration, silence):
    finding = only(analyzer, conversation(*silence), PRICE_QUESTION, calibration)

    assert finding == Finding(
        question_id="price",
        verdict=Verdict.NO,
        score=0.0,
        confidence=Confidence.HIGH,
        answer="NO",
        evidence=(),
    )


def test_a_text_that_keeps_what_was_worked_out_gives_the_same_findings(analyzer):
    plain = calls(8)[7]
    keeping = replace(plain, kept={})
    asked = [
        replace(question, side=side, id=f"{question.id} {side}")
        for side in (Side.CUSTOMER, Side.REP, Side.ANY)
        for question in (PRICE_QUESTION, BOSS_QUESTION)
    ]
    calibration = analyzer.calibrate(asked, [])

    found = [analyzer.evaluate(keeping, [one], calibration) for one in asked]

    assert keeping.kept
    assert found == [analyzer.evaluate(plain, [one], calibration) for one in asked]
    assert len({str(one) for one in found}) >= 4
    assert plain.kept is None


def test_findings_do_not_depend_on_batch_or_order(analyzer, calibration):
    items = calls(30)
    alone = {one.id: only(OfflineAnalyzer(), one, PRICE_QUESTION, calibration) for one in items[:5]}

    together = {
        one.id: analyzer.evaluate(one, [BOSS_QUESTION, PRICE_QUESTION], calibration)[1]
        for one in reversed(items)
    }

    assert {name: together[name] for name in alone} == alone


def test_a_calibration_does_not_depend_on_the_order_of_the_sample(analyzer):
    sample = calls(60)

    forward = analyzer.calibrate([PRICE_QUESTION], sample)
    backward = analyzer.calibrate([PRICE_QUESTION], sample[::-1])

    assert forward == backward


def test_a_stored_calibration_gives_the_same_findings_and_is_small(analyzer, calibration):
    single = analyzer.calibrate([PRICE_QUESTION], calls(80))

    findings = [only(analyzer, one, PRICE_QUESTION, stored(calibration)) for one in calls(20)]

    assert findings == [only(analyzer, one, PRICE_QUESTION, calibration) for one in calls(20)]
    assert stored(calibration) == calibration
    assert len(json.dumps(single.data)) < CALIBRATION_BYTES_MAX


_SCRIPT = """
import json
from dataclasses import asdict
from tests.trackers.analyzers.offline.samples import PRICE_QUESTION, calls
from trackers.analyzers.offline.analyzer import OfflineAnalyzer
analyzer = OfflineAnalyzer()
calibration = analyzer.calibrate([PRICE_QUESTION], calls(60))
findings = [asdict(analyzer.evaluate(one, [PRICE_QUESTION], calibration)[0]) for one in calls(12)]
print(json.dumps([findings, calibration.data]))
"""


def test_other_processes_calibrate_and_find_the_same(analyzer):
    calibration = analyzer.calibrate([PRICE_QUESTION], calls(60))
    here = [asdict(only(analyzer, one, PRICE_QUESTION, calibration)) for one in calls(12)]
    expected = json.loads(json.dumps([here, calibration.data]))

    for seed, threads in (("1", "1"), ("2", "2")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "OPENBLAS_NUM_THREADS": threads}
        there = subprocess.run(
            [sys.executable, "-c", _SCRIPT],
            env=environment,
            cwd=Path(__file__).parents[4],
            capture_output=True,
            check=True,
        )

        assert json.loads(there.stdout) == expected


def test_examples_say_what_the_question_leaves_open(analyzer):
    vague = replace(PRICE_QUESTION, text="Did it come up?", counter_examples=())
    about_price = replace(vague, examples=("How much is it?", "What does it cost?"))
    about_crashes = replace(vague, examples=("It crashes a lot.", "It has crashed again."))
    price_line, crash_line = "How much do you charge?", "The old tool crashed all the time."
    item = conversation(bob_says("Hi there."), bob_says(price_line), bob_says(crash_line))

    best_quotes = [
        only(analyzer, item, one, analyzer.calibrate([one], calls(80))).evidence[0].quote
        for one in (about_price, about_crashes)
    ]

    assert best_quotes == [price_line, crash_line]


def test_counter_examples_lower_what_resembles_them(analyzer):
    item = conversation(bob_says("How much work is it to set up?"))
    sample = calls(80)
    open_question = replace(PRICE_QUESTION, counter_examples=())
    closed_question = replace(
        PRICE_QUESTION, counter_examples=("How much work is that?", "Is it much work to install?")
    )

    opened = only(analyzer, item, open_question, analyzer.calibrate([open_question], sample))
    closed = only(analyzer, item, closed_question, analyzer.calibrate([closed_question], sample))

    assert closed.score < opened.score


@pytest.mark.parametrize("sample_count", [0, 49])
def test_a_small_sample_leaves_the_built_in_background(analyzer, sample_count):
    calibration = analyzer.calibrate([PRICE_QUESTION], calls(sample_count))

    assert calibration == analyzer.calibrate([PRICE_QUESTION], ())
    findings = [only(analyzer, one, PRICE_QUESTION, calibration) for one in calls(40)]
    asked = [one.score for index, one in enumerate(findings) if asks_about_price(index)]
    other = [one.score for index, one in enumerate(findings) if not asks_about_price(index)]
    assert min(asked) > max(other)


def test_an_unknown_question_is_judged_against_the_built_in_background(analyzer):
    empty = Calibration(analyzer="offline", analyzer_version=analyzer.version)
    item = calls(1)[0]

    finding = only(analyzer, item, PRICE_QUESTION, empty)

    built_in = analyzer.calibrate([PRICE_QUESTION], ())
    assert finding == only(analyzer, item, PRICE_QUESTION, built_in)


@pytest.mark.parametrize(
    "changed",
    [
        replace(PRICE_QUESTION, text="Did the customer ask about the contract?"),
        replace(PRICE_QUESTION, examples=("How much?",)),
        replace(PRICE_QUESTION, counter_examples=()),
        replace(PRICE_QUESTION, side=Side.ANY),
    ],
)
def test_a_changed_question_needs_a_new_calibration(analyzer, calibration, changed):
    with pytest.raises(StaleCalibration, match="calibrate again"):
        only(analyzer, calls(1)[0], changed, calibration)


def test_a_calibration_of_another_analyzer_is_refused(analyzer, calibration):
    with pytest.raises(StaleCalibration, match="calibrate again"):
        only(analyzer, calls(1)[0], PRICE_QUESTION, replace(calibration, analyzer="llm"))


def test_a_threshold_moves_the_verdict_but_not_the_score(analyzer, calibration):
    item = calls(161)[160]
    plain = only(analyzer, item, PRICE_QUESTION, calibration)
    strict_question = replace(PRICE_QUESTION, threshold=0.9999)

    strict = only(analyzer, item, strict_question, calibration)

    assert plain.verdict is Verdict.YES
    assert strict.verdict is Verdict.NO
    assert strict.score == plain.score


def test_a_score_just_below_the_threshold_is_unsure(analyzer, calibration):
    item = calls(161)[160]
    score = only(analyzer, item, PRICE_QUESTION, calibration).score
    question = replace(PRICE_QUESTION, threshold=score + 0.0001)

    finding = only(analyzer, item, question, calibration)

    assert (finding.verdict, finding.confidence) == (Verdict.UNSURE, Confidence.LOW)


def test_a_calibration_can_carry_another_combiner(analyzer, calibration):
    never = Combiner(
        weights={}, intercept=-5.0, unsure_margin=0.1, medium_margin=1.0, high_margin=2.0
    )

    replaced = stored(with_combiners(calibration, {Kind.CALL: never}))

    finding = only(analyzer, calls(1)[0], PRICE_QUESTION, replaced)
    assert (finding.verdict, finding.score) == (Verdict.NO, 0.006693)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 10_000_000,
        "how much is it? " * 700_000,
        "\U0001f4b0" * 50_000 + " price",
        "\x01\x02\x1b[31m price \x7f\x85\u2028 cost",
        "\u202eecirp\u202c cost \ud800",
        "price\u0301" * 3_000,
    ],
    ids=["one word", "many words", "emoji", "control", "surrogate", "combining"],
)
def test_hostile_text_is_read_and_quoted_exactly(analyzer, calibration, text):
    item = conversation(bob_says(text))

    finding = only(analyzer, item, PRICE_QUESTION, calibration)

    assert 0.0 <= finding.score <= 1.0
    for passage in finding.evidence:
        assert passage.quote == text[passage.start : passage.end]


def test_an_email_is_calibrated_against_emails(analyzer):
    sample = [*calls(60), *calls(60, kind=Kind.EMAIL)]

    calibration = analyzer.calibrate([PRICE_QUESTION], sample)

    mail = calls(5, kind=Kind.EMAIL)[4]
    finding = only(analyzer, mail, PRICE_QUESTION, calibration)
    assert finding.evidence[0].quote in PRICE_LINES
    only_calls = analyzer.calibrate([PRICE_QUESTION], sample[:60])
    assert only(analyzer, mail, PRICE_QUESTION, only_calls).score != finding.score


def test_blank_examples_are_no_examples(analyzer):
    blank = replace(PRICE_QUESTION, examples=("", " \n"))
    bare = replace(PRICE_QUESTION, examples=())
    uncalibrated = Calibration(analyzer="offline", analyzer_version=analyzer.version)
    item = calls(1)[0]

    finding = only(analyzer, item, blank, uncalibrated)

    assert finding == only(analyzer, item, bare, uncalibrated)


def test_details_are_part_of_what_is_asked(analyzer):
    detailed = replace(PRICE_QUESTION, details="Fees, cost, discounts and payment terms count.")

    plain = analyzer.calibrate([PRICE_QUESTION], calls(60))

    assert analyzer.calibrate([detailed], calls(60)).data != plain.data
