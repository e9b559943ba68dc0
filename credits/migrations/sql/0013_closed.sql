-- A closed company neither receives nor spends (SPEC §10), whoever asks: what adds or uses credits is
-- refused here, under the pool's lock. What ends things stays possible, because closing is made of
-- it: cancel, void, release, and whatever time does. A hold taken before is released by closing, so
-- its capture finds it RELEASED; a retry still gets its first answer.

-- A statement of its own, after ledger_begin: one that also waits for the lock would see the company
-- as it was before the wait.
CREATE FUNCTION ledger_is_closed(p_company bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT closed_at IS NOT NULL FROM credits_company WHERE id = p_company
$$;

CREATE OR REPLACE FUNCTION ledger_issue(
    p_company bigint, p_actor uuid, p_grant uuid, p_source text, p_amount numeric,
    p_effective_at timestamptz, p_expires_at timestamptz, p_priority integer,
    p_reference text, p_reason text, p_created_by bigint,
    p_key text DEFAULT NULL, p_body bytea DEFAULT NULL
) RETURNS ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    context ledger_context;
    replay ledger_outcome;
    starts_at timestamptz;
BEGIN
    PERFORM ledger_refuse_inexact(p_amount);
    PERFORM ledger_refuse_endless(p_effective_at);
    PERFORM ledger_refuse_endless(p_expires_at);
    context := ledger_begin(p_company, p_actor);
    replay := ledger_replay(context, 'ISSUE', p_key, p_body);
    IF replay.outcome IS NOT NULL THEN
        RETURN replay;
    END IF;
    context := ledger_settle_due(context);
    IF ledger_is_closed(p_company) THEN
        PERFORM ledger_end(context);
        RETURN ledger_answer(context, 'CLOSED', p_amount, NULL, NULL);
    END IF;
    -- A date already past counts from now, so that no closed range changes.
    starts_at := greatest(p_effective_at, context.instant);
    IF p_expires_at <= starts_at THEN
        PERFORM ledger_end(context);
        RETURN ledger_answer(context, 'EXPIRES_BEFORE_IT_STARTS', p_amount, NULL, starts_at);
    END IF;
    IF p_source = 'INTRODUCTORY' AND EXISTS (
        SELECT 1 FROM credits_creditgrant
         WHERE company_id = p_company AND source = 'INTRODUCTORY' AND cancelled_at IS NULL) THEN
        PERFORM ledger_end(context);
        RETURN ledger_answer(context, 'ALREADY_INTRODUCED', p_amount, NULL, NULL);
    END IF;
    context := ledger_add_grant(context, p_grant, p_source, p_amount, starts_at,
        CASE WHEN p_effective_at < starts_at THEN p_effective_at END, p_expires_at, p_priority,
        p_reference, p_reason, p_created_by);
    PERFORM ledger_remember(context, 'ISSUE', p_key, p_body, p_grant);
    PERFORM ledger_end(context);
    RETURN ledger_answer(context, 'OK', p_amount, p_grant, starts_at);
END
$$;

CREATE OR REPLACE FUNCTION ledger_charge(
    p_company bigint, p_actor uuid, p_usage uuid, p_amount numeric, p_use ledger_use, p_work ledger_work,
    p_key text DEFAULT NULL, p_body bytea DEFAULT NULL
) RETURNS ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    context ledger_context;
    replay ledger_outcome;
    lots record;
    negative numeric[];
BEGIN
    PERFORM ledger_refuse_inexact(p_amount);
    context := ledger_begin(p_company, p_actor);
    replay := ledger_replay(context, 'CHARGE', p_key, p_body);
    IF replay.outcome IS NOT NULL THEN
        RETURN replay;
    END IF;
    context := ledger_settle_due(context);
    IF ledger_is_closed(p_company) THEN
        PERFORM ledger_end(context);
        RETURN ledger_answer(context, 'CLOSED', p_amount, NULL, NULL);
    END IF;
    IF p_amount > context.balance - context.reserved THEN
        PERFORM ledger_end(context);
        RETURN ledger_answer(context, 'INSUFFICIENT', p_amount, NULL, NULL);
    END IF;
    IF p_amount > 0 THEN
        lots := ledger_take(context, p_amount, false);
        SELECT array_agg(-lot.amount ORDER BY lot.place) INTO negative
          FROM unnest(lots.amounts) WITH ORDINALITY AS lot (amount, place);
        context := ledger_post(context, 'CONSUMED', -p_amount, context.instant, 'CHARGE', p_usage,
            NULL, NULL, lots.grants, negative, ledger_usage_text(p_usage, p_use, p_work));
    END IF;
    PERFORM ledger_meter(context, p_usage, p_amount, p_use, p_work);
    PERFORM ledger_remember(context, 'CHARGE', p_key, p_body, p_usage);
    PERFORM ledger_end(context);
    RETURN ledger_answer(context, 'OK', p_amount, p_usage, NULL);
END
$$;

CREATE OR REPLACE FUNCTION ledger_reserve(
    p_company bigint, p_actor uuid, p_reservation uuid, p_amount numeric, p_lease interval,
    p_use ledger_use, p_rate_card bigint,
    p_key text DEFAULT NULL, p_body bytea DEFAULT NULL
) RETURNS ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    context ledger_context;
    replay ledger_outcome;
    lots record;
    ends_at timestamptz;
BEGIN
    PERFORM ledger_refuse_inexact(p_amount);
    context := ledger_begin(p_company, p_actor);
    replay := ledger_replay(context, 'RESERVE', p_key, p_body);
    IF replay.outcome IS NOT NULL THEN
        RETURN replay;
    END IF;
    context := ledger_settle_due(context);
    IF ledger_is_closed(p_company) THEN
        PERFORM ledger_end(context);
        RETURN ledger_answer(context, 'CLOSED', p_amount, NULL, NULL);
    END IF;
    IF p_amount > context.balance - context.reserved THEN
        PERFORM ledger_end(context);
        RETURN ledger_answer(context, 'INSUFFICIENT', p_amount, NULL, NULL);
    END IF;
    ends_at := context.instant + p_lease;
    lots := ledger_take(context, p_amount, true);
    INSERT INTO credits_reservation (
        id, company_id, feature_type, feature_name, feature_ref, action, integration_ref, api_key_ref,
        user_ref, team_ref, request_id, state, amount, captured, rate_card_id, opened_at, lapses_at)
    VALUES (
        p_reservation, p_company, p_use.feature_type, p_use.feature_name, p_use.feature_ref,
        p_use.action, p_use.integration_ref, p_use.api_key_ref, p_use.user_ref, p_use.team_ref,
        p_use.request_id, 'OPEN', p_amount, 0, p_rate_card, context.instant, ends_at);
    INSERT INTO credits_hold (company_id, reservation_id, grant_id, amount)
    SELECT p_company, p_reservation, lot.id, lot.amount
      FROM unnest(lots.grants, lots.amounts) WITH ORDINALITY AS lot (id, amount, place)
     ORDER BY lot.place;
    context.reserved := context.reserved + p_amount;
    context.next_due_at := least(context.next_due_at, ends_at);
    context.is_changed := true;
    PERFORM ledger_remember(context, 'RESERVE', p_key, p_body, p_reservation);
    PERFORM ledger_end(context);
    RETURN ledger_answer(context, 'OK', p_amount, p_reservation, ends_at);
END
$$;

-- Give credits: a grant of its own, from now, whose first entry is ADJUSTED.
CREATE OR REPLACE FUNCTION ledger_adjust_up(
    p_company bigint, p_actor uuid, p_grant uuid, p_amount numeric, p_expires_at timestamptz,
    p_priority integer, p_signature ledger_signature,
    p_key text DEFAULT NULL, p_body bytea DEFAULT NULL
) RETURNS ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    context ledger_context;
    replay ledger_outcome;
BEGIN
    PERFORM ledger_refuse_inexact(p_amount);
    PERFORM ledger_refuse_endless(p_expires_at);
    context := ledger_begin(p_company, p_actor);
    replay := ledger_replay(context, 'ADJUST', p_key, p_body);
    IF replay.outcome IS NOT NULL THEN
        RETURN replay;
    END IF;
    context := ledger_settle_due(context);
    IF ledger_is_closed(p_company) THEN
        PERFORM ledger_end(context);
        RETURN ledger_answer(context, 'CLOSED', p_amount, NULL, NULL);
    END IF;
    IF p_expires_at <= context.instant THEN
        PERFORM ledger_end(context);
        RETURN ledger_answer(context, 'EXPIRES_BEFORE_IT_STARTS', p_amount, NULL, context.instant);
    END IF;
    context := ledger_add_grant(context, p_grant, 'ADJUSTMENT', p_amount, context.instant, NULL,
        p_expires_at, p_priority, '', p_signature.reason, p_signature.by_id);
    PERFORM ledger_sign(
        context, p_signature, 'ADJUSTED', p_grant, NULL, context.entry_id, p_amount);
    PERFORM ledger_remember(context, 'ADJUST', p_key, p_body, p_signature.correction_id);
    PERFORM ledger_end(context);
    RETURN ledger_answer(context, 'OK', p_amount, p_signature.correction_id, context.instant);
END
$$;

-- Take credits from one grant, or in spending order; never what is held, expired or not there.
CREATE OR REPLACE FUNCTION ledger_adjust_down(
    p_company bigint, p_actor uuid, p_grant uuid, p_amount numeric, p_signature ledger_signature,
    p_key text DEFAULT NULL, p_body bytea DEFAULT NULL
) RETURNS ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    context ledger_context;
    replay ledger_outcome;
    answer ledger_outcome;
    free numeric(18, 3);
    lots record;
    negative numeric[];
BEGIN
    PERFORM ledger_refuse_inexact(p_amount);
    context := ledger_begin(p_company, p_actor);
    replay := ledger_replay(context, 'ADJUST', p_key, p_body);
    IF replay.outcome IS NOT NULL THEN
        RETURN replay;
    END IF;
    context := ledger_settle_due(context);
    IF ledger_is_closed(p_company) THEN
        PERFORM ledger_end(context);
        RETURN ledger_answer(context, 'CLOSED', p_amount, NULL, NULL);
    END IF;
    IF p_grant IS NULL THEN
        free := context.balance - context.reserved;
    ELSE
        SELECT CASE WHEN is_open THEN remaining - held ELSE 0 END INTO free
          FROM credits_creditgrant WHERE company_id = p_company AND id = p_grant;
    END IF;
    IF free IS NULL OR p_amount > free THEN
        PERFORM ledger_end(context);
        answer := ledger_answer(context,
            CASE WHEN free IS NULL THEN 'UNKNOWN' ELSE 'INSUFFICIENT' END, p_amount, NULL, NULL);
        answer.available := free;
        RETURN answer;
    END IF;
    IF p_grant IS NULL THEN
        lots := ledger_take(context, p_amount, false);
    ELSE
        UPDATE credits_creditgrant
           SET remaining = remaining - p_amount, is_open = remaining > p_amount
         WHERE id = p_grant;
        SELECT ARRAY[p_grant] AS grants, ARRAY[p_amount] AS amounts INTO lots;
    END IF;
    UPDATE credits_creditgrant g SET corrected_down = corrected_down + lot.amount
      FROM unnest(lots.grants, lots.amounts) AS lot (id, amount)
     WHERE g.id = lot.id;
    SELECT array_agg(-lot.amount ORDER BY lot.place) INTO negative
      FROM unnest(lots.amounts) WITH ORDINALITY AS lot (amount, place);
    context := ledger_post(context, 'ADJUSTED', -p_amount, context.instant, 'ADJUST',
        p_signature.correction_id, p_grant, NULL, lots.grants, negative);
    PERFORM ledger_sign(
        context, p_signature, 'ADJUSTED', p_grant, NULL, context.entry_id, -p_amount);
    PERFORM ledger_remember(context, 'ADJUST', p_key, p_body, p_signature.correction_id);
    PERFORM ledger_end(context);
    RETURN ledger_answer(context, 'OK', p_amount, p_signature.correction_id, context.instant);
END
$$;

-- Give back a charge or a part of it. What comes to a lot that has expired or was voided leaves it
-- in the same act; with p_replacement, what expires comes again as an adjustment of 30 days.
CREATE OR REPLACE FUNCTION ledger_refund(
    p_company bigint, p_actor uuid, p_usage uuid, p_amount numeric, p_signature ledger_signature,
    p_replacement uuid, p_replacement_signature ledger_signature, p_priority integer,
    p_key text DEFAULT NULL, p_body bytea DEFAULT NULL
) RETURNS ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    context ledger_context;
    replay ledger_outcome;
    answer ledger_outcome;
    refund record;
    part record;
    grants uuid[];
    amounts numeric[];
    fates text[];
    expired numeric(18, 3) := 0;
BEGIN
    PERFORM ledger_refuse_inexact(coalesce(p_amount, 0));
    context := ledger_begin(p_company, p_actor);
    replay := ledger_replay(context, 'REFUND', p_key, p_body);
    IF replay.outcome IS NOT NULL THEN
        RETURN replay;
    END IF;
    context := ledger_settle_due(context);
    IF ledger_is_closed(p_company) THEN
        PERFORM ledger_end(context);
        RETURN ledger_answer(context, 'CLOSED', p_amount, NULL, NULL);
    END IF;
    refund := ledger_refundable(p_company, p_usage, p_amount);
    IF refund.outcome <> 'OK' THEN
        PERFORM ledger_end(context);
        answer := ledger_answer(context, refund.outcome, refund.amount, NULL, NULL);
        answer.available := refund.charged - refund.refunded;
        RETURN answer;
    END IF;
    FOR part IN
        SELECT * FROM ledger_refund_parts(
            p_company, refund.charge_sequence, refund.amount, context.instant)
    LOOP
        UPDATE credits_creditgrant
           SET remaining = remaining + CASE part.fate WHEN 'KEPT' THEN part.amount ELSE 0 END,
               voided = voided + CASE part.fate WHEN 'VOIDED' THEN part.amount ELSE 0 END,
               expired_at = CASE part.fate WHEN 'EXPIRED' THEN coalesce(expired_at, expires_at)
                                           ELSE expired_at END,
               is_open = part.fate = 'KEPT'
         WHERE id = part.grant_id;
        grants := grants || part.grant_id;
        amounts := amounts || part.amount;
        fates := fates || part.fate;
        expired := expired + CASE part.fate WHEN 'EXPIRED' THEN part.amount ELSE 0 END;
    END LOOP;
    context := ledger_post(context, 'REFUNDED', refund.amount, context.instant, 'REFUND',
        p_signature.correction_id, NULL, refund.charge_sequence, grants, amounts);
    PERFORM ledger_sign(
        context, p_signature, 'REFUNDED', NULL, p_usage, context.entry_id, refund.amount);
    FOR part IN
        SELECT lot.id, lot.amount, lot.fate
          FROM unnest(grants, amounts, fates) WITH ORDINALITY AS lot (id, amount, fate, place)
         WHERE lot.fate <> 'KEPT' ORDER BY lot.place
    LOOP
        context := ledger_post(context, part.fate, -part.amount, context.instant, 'REFUND',
            p_signature.correction_id, part.id, NULL, ARRAY[part.id], ARRAY[-part.amount]);
    END LOOP;
    IF p_replacement IS NOT NULL AND expired > 0 THEN
        context := ledger_add_grant(context, p_replacement, 'ADJUSTMENT', expired, context.instant,
            NULL, context.instant + interval '720 hours', p_priority, '',
            p_replacement_signature.reason, p_replacement_signature.by_id);
        PERFORM ledger_sign(context, p_replacement_signature, 'ADJUSTED', p_replacement, NULL,
            context.entry_id, expired);
    END IF;
    -- A lot that was used up is open again, and will expire.
    context.next_due_at := ledger_next_due(p_company);
    PERFORM ledger_remember(context, 'REFUND', p_key, p_body, p_signature.correction_id);
    PERFORM ledger_end(context);
    RETURN ledger_answer(
        context, 'OK', refund.amount, p_signature.correction_id, context.instant);
END
$$;
