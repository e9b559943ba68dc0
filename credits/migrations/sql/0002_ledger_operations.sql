-- The ledger's operations, each one statement for its caller (DESIGN §3): lock, clock, key, settle,
-- lots, entry. Only credits/ledger.py calls them.

CREATE FUNCTION ledger_issue(
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
    INSERT INTO credits_creditgrant (
        id, company_id, source, amount, remaining, held, voided, corrected_down, priority,
        effective_at, expires_at, requested_effective_at, is_open, reference, reason,
        created_at, created_by_id)
    VALUES (
        p_grant, p_company, p_source, p_amount, 0, 0, 0, 0, p_priority,
        starts_at, p_expires_at, CASE WHEN p_effective_at < starts_at THEN p_effective_at END,
        false, p_reference, p_reason, context.instant, p_created_by);
    IF starts_at = context.instant THEN
        context := ledger_make_effective(context, p_grant, starts_at);
        context.next_due_at := least(context.next_due_at, p_expires_at);
    ELSE
        context.next_due_at := least(context.next_due_at, starts_at);
        context.is_changed := true;
    END IF;
    PERFORM ledger_remember(context, 'ISSUE', p_key, p_body, p_grant);
    PERFORM ledger_end(context);
    RETURN ledger_answer(context, 'OK', p_amount, p_grant, starts_at);
END
$$;

CREATE FUNCTION ledger_charge(
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
            NULL, NULL, lots.grants, negative);
    END IF;
    PERFORM ledger_meter(context, p_usage, p_amount, p_use, p_work);
    PERFORM ledger_remember(context, 'CHARGE', p_key, p_body, p_usage);
    PERFORM ledger_end(context);
    RETURN ledger_answer(context, 'OK', p_amount, p_usage, NULL);
END
$$;

CREATE FUNCTION ledger_reserve(
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

-- Charge what was held: the held lots in spending order; the rest of the hold goes back.
CREATE FUNCTION ledger_capture(
    p_company bigint, p_actor uuid, p_reservation uuid, p_usage uuid, p_amount numeric, p_work ledger_work
) RETURNS ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    context ledger_context;
    reservation credits_reservation;
    hold record;
    needed numeric(18, 3) := p_amount;
    part numeric(18, 3);
    grants uuid[];
    amounts numeric[];
    returned uuid[];
    rests numeric[];
BEGIN
    PERFORM ledger_refuse_inexact(p_amount);
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
    IF p_amount > 0 THEN
        context := ledger_post(context, 'CONSUMED', -p_amount, context.instant, 'CAPTURE', p_reservation,
            NULL, NULL, grants, amounts);
    END IF;
    PERFORM ledger_meter(context, p_usage, p_amount,
        (reservation.feature_type, reservation.feature_name, reservation.feature_ref,
         reservation.action, reservation.integration_ref, reservation.api_key_ref,
         reservation.user_ref, reservation.team_ref, reservation.request_id)::ledger_use, p_work);
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

CREATE FUNCTION ledger_release(p_company bigint, p_actor uuid, p_reservation uuid)
RETURNS ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    context ledger_context;
    reservation credits_reservation;
BEGIN
    context := ledger_begin(p_company, p_actor);
    context := ledger_settle_due(context);
    SELECT * INTO reservation FROM credits_reservation
     WHERE company_id = p_company AND id = p_reservation;
    IF reservation.state = 'OPEN' THEN
        context := ledger_close_reservation(
            context, p_reservation, 'RELEASED', context.instant, 'RELEASE');
    END IF;
    PERFORM ledger_end(context);
    RETURN ledger_answer(context,
        CASE WHEN reservation.id IS NULL THEN 'UNKNOWN'
             WHEN reservation.state = 'OPEN' THEN 'OK'
             ELSE reservation.state END,
        NULL, reservation.usage_event_id, coalesce(reservation.closed_at, context.instant));
END
$$;

-- Heartbeat: hold on for another lease from now, 60 minutes from the opening at most. The pool's
-- next_due_at stays where it was; settling early finds nothing and moves it on.
CREATE FUNCTION ledger_extend(p_company bigint, p_reservation uuid, p_lease interval)
RETURNS ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    context ledger_context;
    reservation credits_reservation;
BEGIN
    context := ledger_begin(p_company, NULL);
    context := ledger_settle_due(context);
    UPDATE credits_reservation
       SET lapses_at = least(greatest(lapses_at, context.instant + p_lease), opened_at + interval '60 minutes')
     WHERE company_id = p_company AND id = p_reservation AND state = 'OPEN';
    SELECT * INTO reservation FROM credits_reservation
     WHERE company_id = p_company AND id = p_reservation;
    PERFORM ledger_end(context);
    RETURN ledger_answer(context,
        CASE WHEN reservation.id IS NULL THEN 'UNKNOWN'
             WHEN reservation.state = 'OPEN' THEN 'OK'
             ELSE reservation.state END,
        NULL, NULL, reservation.lapses_at);
END
$$;

CREATE FUNCTION ledger_settle(p_company bigint) RETURNS ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    context ledger_context;
BEGIN
    context := ledger_settle_due(ledger_begin(p_company, NULL));
    PERFORM ledger_end(context);
    RETURN ledger_answer(context, 'OK', NULL, NULL, context.next_due_at);
END
$$;

-- The balance now. Takes the lock only when something has come due.
CREATE FUNCTION ledger_read(p_company bigint) RETURNS ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    pool credits_creditpool;
    context ledger_context;
BEGIN
    SELECT * INTO pool FROM credits_creditpool WHERE company_id = p_company;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'company % has no credit pool', p_company USING ERRCODE = 'no_data_found';
    END IF;
    context.instant := greatest(ledger_clock(), pool.last_occurred_at);
    IF pool.next_due_at <= context.instant THEN
        RETURN ledger_settle(p_company);
    END IF;
    context.balance := pool.balance;
    context.reserved := pool.reserved;
    context.sequence := pool.sequence;
    RETURN ledger_answer(context, 'OK', NULL, NULL, pool.next_due_at);
END
$$;
