-- Operations that say more since hash version 2, and the one that opens a pool.

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

-- A company's pool, empty. Written inside an act, as the guards ask.
CREATE FUNCTION ledger_open_pool(p_company bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('ledger.act', 'on', true);
    INSERT INTO credits_creditpool (company_id, balance, reserved, sequence, last_hash)
    VALUES (p_company, 0, 0, 0, decode(repeat('00', 32), 'hex'));
    PERFORM set_config('ledger.act', 'off', true);
END
$$;
