-- The acts that spend, and those that give back, with limits (0017_limits.sql). Only a company that
-- has some looks at them: the pool's row, which is read anyway, says so.

-- Lock the pool, then read the clock: a clock read before the lock is the past when the lock comes.
-- From here to ledger_end the guards let pool and grants be written.
CREATE OR REPLACE FUNCTION ledger_begin(p_company bigint, p_actor uuid) RETURNS ledger_context
LANGUAGE plpgsql AS $$
DECLARE
    pool credits_creditpool;
    context ledger_context;
BEGIN
    SELECT * INTO pool FROM credits_creditpool WHERE company_id = p_company FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'company % has no credit pool', p_company USING ERRCODE = 'no_data_found';
    END IF;
    PERFORM set_config('ledger.act', 'on', true);
    context.company_id := p_company;
    context.actor_ref := p_actor;
    context.instant := greatest(ledger_clock(), pool.last_occurred_at);
    context.balance := pool.balance;
    context.reserved := pool.reserved;
    context.sequence := pool.sequence;
    context.last_occurred_at := pool.last_occurred_at;
    context.last_hash := pool.last_hash;
    context.next_due_at := pool.next_due_at;
    context.is_changed := false;
    context.is_limited := pool.limit_count > 0;
    RETURN context;
END
$$;

CREATE OR REPLACE FUNCTION ledger_charge(
    p_company bigint, p_actor uuid, p_usage uuid, p_amount numeric, p_use ledger_use, p_work ledger_work,
    p_key text DEFAULT NULL, p_body bytea DEFAULT NULL
) RETURNS ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    context ledger_context;
    replay ledger_outcome;
    refusal ledger_outcome;
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
    IF context.is_limited THEN
        refusal := ledger_limit_refusal(context, p_amount, p_use);
        IF refusal.outcome IS NOT NULL THEN
            PERFORM ledger_end(context);
            RETURN refusal;
        END IF;
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
    IF context.is_limited AND p_amount > 0 THEN
        PERFORM ledger_count(context, p_use, context.instant, p_amount);
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
    refusal ledger_outcome;
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
    IF context.is_limited THEN
        refusal := ledger_limit_refusal(context, p_amount, p_use);
        IF refusal.outcome IS NOT NULL THEN
            PERFORM ledger_end(context);
            RETURN refusal;
        END IF;
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
    IF context.is_limited AND p_amount > 0 THEN
        PERFORM ledger_count(context, p_use, context.instant, p_amount);
    END IF;
    context.reserved := context.reserved + p_amount;
    context.next_due_at := least(context.next_due_at, ends_at);
    context.is_changed := true;
    PERFORM ledger_remember(context, 'RESERVE', p_key, p_body, p_reservation);
    PERFORM ledger_end(context);
    RETURN ledger_answer(context, 'OK', p_amount, p_reservation, ends_at);
END
$$;

-- Charge what was held: the held lots in spending order; the rest of the hold goes back.
CREATE OR REPLACE FUNCTION ledger_capture(
    p_company bigint, p_actor uuid, p_reservation uuid, p_usage uuid, p_amount numeric, p_work ledger_work
) RETURNS ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    context ledger_context;
    reservation credits_reservation;
    hold record;
    needed numeric(18, 3);
    part numeric(18, 3);
    grants uuid[];
    amounts numeric[];
    returned uuid[];
    rests numeric[];
    used ledger_use;
BEGIN
    PERFORM ledger_refuse_inexact(p_amount);
    needed := p_amount;
    context := ledger_begin(p_company, p_actor);
    context := ledger_settle_due(context);
    SELECT * INTO reservation FROM credits_reservation
     WHERE company_id = p_company AND id = p_reservation;
    IF reservation.state IS DISTINCT FROM 'OPEN' OR p_amount > reservation.amount THEN
        PERFORM ledger_end(context);
        RETURN ledger_answer(context,
            CASE WHEN reservation.id IS NULL THEN 'UNKNOWN'
                 WHEN reservation.usage_event_id = p_usage THEN 'REPLAYED'
                 WHEN reservation.state = 'OPEN' THEN 'EXCEEDS'
                 ELSE reservation.state END,
            p_amount, reservation.usage_event_id, reservation.closed_at);
    END IF;
    FOR hold IN
        SELECT h.grant_id, h.amount
          FROM credits_hold h JOIN credits_creditgrant g ON g.id = h.grant_id
         WHERE h.reservation_id = p_reservation
         ORDER BY g.priority, g.expires_at NULLS LAST, g.source_rank, g.effective_at, g.id
    LOOP
        part := least(needed, hold.amount);
        IF part > 0 THEN
            UPDATE credits_creditgrant
               SET held = held - part, remaining = remaining - part,
                   is_open = is_open AND remaining > part
             WHERE id = hold.grant_id;
            grants := grants || hold.grant_id;
            amounts := amounts || -part;
            needed := needed - part;
        END IF;
        IF part < hold.amount THEN
            returned := returned || hold.grant_id;
            rests := rests || (hold.amount - part);
        END IF;
    END LOOP;
    context.reserved := context.reserved - reservation.amount;
    used := (reservation.feature_type, reservation.feature_name, reservation.feature_ref,
        reservation.action, reservation.integration_ref, reservation.api_key_ref,
        reservation.user_ref, reservation.team_ref, reservation.request_id)::ledger_use;
    IF p_amount > 0 THEN
        context := ledger_post(context, 'CONSUMED', -p_amount, context.instant, 'CAPTURE', p_reservation,
            NULL, NULL, grants, amounts, ledger_usage_text(p_usage, used, p_work));
    END IF;
    IF context.is_limited AND p_amount < reservation.amount THEN
        PERFORM ledger_count(context, used, reservation.opened_at, p_amount - reservation.amount);
    END IF;
    PERFORM ledger_meter(context, p_usage, p_amount, used, p_work);
    UPDATE credits_reservation
       SET state = 'CAPTURED', captured = p_amount, closed_at = context.instant, usage_event_id = p_usage
     WHERE id = p_reservation;
    context.is_changed := true;
    FOR hold IN
        SELECT lot.id, lot.rest FROM unnest(returned, rests) WITH ORDINALITY AS lot (id, rest, place)
         ORDER BY lot.place
    LOOP
        context := ledger_return(context, hold.id, hold.rest, context.instant, 'CAPTURE', p_reservation);
    END LOOP;
    PERFORM ledger_end(context);
    RETURN ledger_answer(context, 'OK', p_amount, p_usage, context.instant);
END
$$;

-- Close an open reservation without a charge and give back all it holds.
CREATE OR REPLACE FUNCTION ledger_close_reservation(
    context ledger_context, p_reservation uuid, p_state text, p_at timestamptz, p_cause text
) RETURNS ledger_context LANGUAGE plpgsql AS $$
DECLARE
    hold record;
    reservation credits_reservation;
BEGIN
    UPDATE credits_reservation SET state = p_state, closed_at = p_at WHERE id = p_reservation
    RETURNING * INTO reservation;
    IF context.is_limited THEN
        PERFORM ledger_count(context,
            (reservation.feature_type, reservation.feature_name, reservation.feature_ref,
             reservation.action, reservation.integration_ref, reservation.api_key_ref,
             reservation.user_ref, reservation.team_ref, reservation.request_id)::ledger_use,
            reservation.opened_at, -reservation.amount);
    END IF;
    context.is_changed := true;
    FOR hold IN
        SELECT h.grant_id, h.amount
          FROM credits_hold h JOIN credits_creditgrant g ON g.id = h.grant_id
         WHERE h.reservation_id = p_reservation
         ORDER BY g.priority, g.expires_at NULLS LAST, g.source_rank, g.effective_at, g.id
    LOOP
        context.reserved := context.reserved - hold.amount;
        context := ledger_return(context, hold.grant_id, hold.amount, p_at, p_cause, p_reservation);
    END LOOP;
    RETURN context;
END
$$;

-- Give back a charge or a part of it. What comes to a lot that has expired or was voided leaves it
-- in the same act; with p_replacement, what expires comes again as an adjustment of 30 days. Limits
-- have it back in the window that the charge was admitted in.
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
    charge record;
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
    IF context.is_limited THEN
        SELECT ROW(u.feature_type, u.feature_name, u.feature_ref, u.action, u.integration_ref,
                   u.api_key_ref, u.user_ref, u.team_ref, u.request_id)::ledger_use AS used,
               coalesce(r.opened_at, u.occurred_at) AS admitted_at
          INTO charge
          FROM credits_usageevent u LEFT JOIN credits_reservation r ON r.usage_event_id = u.id
         WHERE u.company_id = p_company AND u.id = p_usage;
        PERFORM ledger_count(context, charge.used, charge.admitted_at, -refund.amount);
    END IF;
    -- A lot that was used up is open again, and will expire.
    context.next_due_at := ledger_next_due(p_company);
    PERFORM ledger_remember(context, 'REFUND', p_key, p_body, p_signature.correction_id);
    PERFORM ledger_end(context);
    RETURN ledger_answer(
        context, 'OK', refund.amount, p_signature.correction_id, context.instant);
END
$$;
