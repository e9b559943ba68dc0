-- The parts the ledger's operations are made of (DESIGN §3). Nothing here is called from outside.

-- The ledger's one clock. Tests, and the demo while it seeds an empty database, replace it by one
-- that reads a table; check_ledger verifies this body.
CREATE FUNCTION ledger_clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT clock_timestamp()
$$;

-- The pool's row while it is locked, and the instant of the act. entry_id is the last one posted.
CREATE TYPE ledger_context AS (
    company_id bigint,
    actor_ref uuid,
    instant timestamptz,
    balance numeric(18, 3),
    reserved numeric(18, 3),
    sequence bigint,
    last_occurred_at timestamptz,
    last_hash bytea,
    next_due_at timestamptz,
    entry_id bigint,
    is_changed boolean
);

-- What is being paid for: snapshots and opaque ids.
CREATE TYPE ledger_use AS (
    feature_type text,
    feature_name text,
    feature_ref uuid,
    action text,
    integration_ref uuid,
    api_key_ref uuid,
    user_ref uuid,
    team_ref uuid,
    request_id text
);

-- How much was done.
CREATE TYPE ledger_work AS (
    rate_card_id bigint,
    calls integer,
    emails integer,
    web_searches integer,
    request_count integer
);

-- What an operation answers. Functions return; they raise only when an invariant is broken,
-- because raising would undo the settling that came before.
CREATE TYPE ledger_outcome AS (
    outcome text,
    instant timestamptz,
    required numeric(18, 3),
    available numeric(18, 3),
    balance numeric(18, 3),
    reserved numeric(18, 3),
    sequence bigint,
    entry_id bigint,
    result_ref uuid,
    until timestamptz
);

-- Lock the pool, then read the clock: a clock read before the lock is the past when the lock comes.
CREATE FUNCTION ledger_begin(p_company bigint, p_actor uuid) RETURNS ledger_context
LANGUAGE plpgsql AS $$
DECLARE
    pool credits_creditpool;
    context ledger_context;
BEGIN
    SELECT * INTO pool FROM credits_creditpool WHERE company_id = p_company FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'company % has no credit pool', p_company USING ERRCODE = 'no_data_found';
    END IF;
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
    RETURN context;
END
$$;

-- Write the pool back, once per operation.
CREATE FUNCTION ledger_end(context ledger_context) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF context.is_changed THEN
        UPDATE credits_creditpool
           SET balance = context.balance,
               reserved = context.reserved,
               sequence = context.sequence,
               last_occurred_at = context.last_occurred_at,
               last_hash = context.last_hash,
               next_due_at = context.next_due_at
         WHERE company_id = context.company_id;
    END IF;
END
$$;

CREATE FUNCTION ledger_answer(
    context ledger_context, p_outcome text, p_required numeric, p_result_ref uuid, p_until timestamptz
) RETURNS ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    answer ledger_outcome;
BEGIN
    answer.outcome := p_outcome;
    answer.instant := context.instant;
    answer.required := p_required;
    answer.available := context.balance - context.reserved;
    answer.balance := context.balance;
    answer.reserved := context.reserved;
    answer.sequence := context.sequence;
    answer.entry_id := context.entry_id;
    answer.result_ref := p_result_ref;
    answer.until := p_until;
    RETURN answer;
END
$$;

CREATE FUNCTION ledger_refuse_inexact(p_amount numeric) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF p_amount IS NULL OR p_amount < 0 OR p_amount <> round(p_amount, 3) THEN
        RAISE EXCEPTION '% is no amount of credits', p_amount USING ERRCODE = 'numeric_value_out_of_range';
    END IF;
END
$$;

-- The lots of an entry in drawing order, as one digest.
CREATE FUNCTION ledger_drawdown_digest(p_grants uuid[], p_amounts numeric[]) RETURNS bytea
LANGUAGE sql IMMUTABLE AS $$
    SELECT sha256(convert_to(
        string_agg(lot.id::text || ':' || lot.amount::numeric(18, 3)::text, ';' ORDER BY lot.place), 'UTF8'))
      FROM unnest(p_grants, p_amounts) WITH ORDINALITY AS lot (id, amount, place)
$$;

-- Version 1 of the entry's bytes: every column, the digest of its drawdowns, the hash before.
CREATE FUNCTION ledger_entry_hash(
    p_company bigint, p_sequence bigint, p_kind text, p_amount numeric, p_before numeric, p_after numeric,
    p_occurred_at timestamptz, p_recorded_at timestamptz, p_cause text, p_cause_ref uuid, p_grant uuid,
    p_corrects bigint, p_actor uuid, p_drawdowns bytea, p_previous bytea
) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(convert_to(concat_ws('|',
        '1', p_company, p_sequence, p_kind,
        p_amount::numeric(18, 3), p_before::numeric(18, 3), p_after::numeric(18, 3),
        to_char(p_occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        to_char(p_recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        p_cause, p_cause_ref, coalesce(p_grant::text, ''), coalesce(p_corrects::text, ''),
        coalesce(p_actor::text, ''), encode(p_drawdowns, 'hex')), 'UTF8') || p_previous)
$$;

-- Append one entry with the lots it moved. The caller has changed the grants.
CREATE FUNCTION ledger_post(
    context ledger_context, p_kind text, p_amount numeric, p_occurred_at timestamptz,
    p_cause text, p_cause_ref uuid, p_grant uuid, p_corrects bigint, p_grants uuid[], p_amounts numeric[]
) RETURNS ledger_context LANGUAGE plpgsql AS $$
DECLARE
    before numeric(18, 3) := context.balance;
BEGIN
    context.sequence := context.sequence + 1;
    context.balance := before + p_amount;
    context.last_occurred_at := greatest(p_occurred_at, context.last_occurred_at);
    context.last_hash := ledger_entry_hash(
        context.company_id, context.sequence, p_kind, p_amount, before, context.balance,
        context.last_occurred_at, context.instant, p_cause, p_cause_ref, p_grant, p_corrects,
        context.actor_ref, ledger_drawdown_digest(p_grants, p_amounts), context.last_hash);
    INSERT INTO credits_ledgerentry (
        company_id, sequence, kind, amount, balance_before, balance_after, occurred_at, recorded_at,
        cause, cause_ref, grant_id, corrects_sequence, actor_ref, hash)
    VALUES (
        context.company_id, context.sequence, p_kind, p_amount, before, context.balance,
        context.last_occurred_at, context.instant, p_cause, p_cause_ref, p_grant, p_corrects,
        context.actor_ref, context.last_hash)
    RETURNING id INTO context.entry_id;
    INSERT INTO credits_drawdown (company_id, entry_id, grant_id, amount)
    SELECT context.company_id, context.entry_id, lot.id, lot.amount
      FROM unnest(p_grants, p_amounts) WITH ORDINALITY AS lot (id, amount, place)
     ORDER BY lot.place;
    context.is_changed := true;
    RETURN context;
END
$$;

-- Take an amount from the open lots in spending order, or hold it there. The caller has checked
-- that it is available; the index grant_spending_order serves the walk, which stops early.
CREATE FUNCTION ledger_take(
    context ledger_context, p_amount numeric, p_hold boolean, OUT grants uuid[], OUT amounts numeric[]
) LANGUAGE plpgsql AS $$
DECLARE
    needed numeric(18, 3) := p_amount;
    part numeric(18, 3);
    lot record;
BEGIN
    FOR lot IN
        SELECT id, remaining - held AS free
          FROM credits_creditgrant
         WHERE company_id = context.company_id AND is_open AND remaining > held
           AND effective_at <= context.instant
           AND (expires_at IS NULL OR expires_at > context.instant)
         ORDER BY priority, expires_at NULLS LAST, source_rank, effective_at, id
    LOOP
        part := least(needed, lot.free);
        IF p_hold THEN
            UPDATE credits_creditgrant SET held = held + part WHERE id = lot.id;
        ELSE
            UPDATE credits_creditgrant
               SET remaining = remaining - part, is_open = remaining > part
             WHERE id = lot.id;
        END IF;
        grants := grants || lot.id;
        amounts := amounts || part;
        needed := needed - part;
        EXIT WHEN needed = 0;
    END LOOP;
    IF needed > 0 THEN
        RAISE EXCEPTION 'company %: % credits are missing from the lots', context.company_id, needed;
    END IF;
END
$$;

-- Give held credits back to their lot. A lot that has expired or was voided does not keep them:
-- they leave again in the same act.
CREATE FUNCTION ledger_return(
    context ledger_context, p_grant uuid, p_amount numeric, p_at timestamptz, p_cause text, p_cause_ref uuid
) RETURNS ledger_context LANGUAGE plpgsql AS $$
DECLARE
    lot credits_creditgrant;
BEGIN
    UPDATE credits_creditgrant
       SET held = held - p_amount,
           remaining = remaining
               - CASE WHEN expired_at IS NULL AND voided_at IS NULL THEN 0 ELSE p_amount END,
           voided = voided + CASE WHEN voided_at IS NULL THEN 0 ELSE p_amount END
     WHERE id = p_grant
    RETURNING * INTO lot;
    IF lot.voided_at IS NOT NULL THEN
        context := ledger_post(context, 'VOIDED', -p_amount, p_at, p_cause, p_cause_ref, p_grant,
            NULL, ARRAY[p_grant], ARRAY[-p_amount]);
    ELSIF lot.expired_at IS NOT NULL THEN
        context := ledger_post(context, 'EXPIRED', -p_amount, p_at, p_cause, p_cause_ref, p_grant,
            NULL, ARRAY[p_grant], ARRAY[-p_amount]);
    END IF;
    RETURN context;
END
$$;

-- Close an open reservation without a charge and give back all it holds.
CREATE FUNCTION ledger_close_reservation(
    context ledger_context, p_reservation uuid, p_state text, p_at timestamptz, p_cause text
) RETURNS ledger_context LANGUAGE plpgsql AS $$
DECLARE
    hold record;
BEGIN
    UPDATE credits_reservation SET state = p_state, closed_at = p_at WHERE id = p_reservation;
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

CREATE FUNCTION ledger_make_effective(context ledger_context, p_grant uuid, p_at timestamptz)
RETURNS ledger_context LANGUAGE plpgsql AS $$
DECLARE
    total numeric(18, 3);
BEGIN
    UPDATE credits_creditgrant SET granted_at = p_at, remaining = amount, is_open = true
     WHERE id = p_grant RETURNING amount INTO total;
    RETURN ledger_post(context, 'GRANTED', total, p_at, 'ISSUE', p_grant, p_grant, NULL,
        ARRAY[p_grant], ARRAY[total]);
END
$$;

-- What is held stays until its reservation ends; only the rest expires now.
CREATE FUNCTION ledger_expire(context ledger_context, p_grant uuid, p_at timestamptz)
RETURNS ledger_context LANGUAGE plpgsql AS $$
DECLARE
    rest numeric(18, 3);
BEGIN
    SELECT remaining - held INTO rest FROM credits_creditgrant WHERE id = p_grant;
    UPDATE credits_creditgrant SET remaining = held, is_open = false, expired_at = p_at
     WHERE id = p_grant;
    context.is_changed := true;
    IF rest > 0 THEN
        context := ledger_post(context, 'EXPIRED', -rest, p_at, 'EXPIRY', p_grant, p_grant, NULL,
            ARRAY[p_grant], ARRAY[-rest]);
    END IF;
    RETURN context;
END
$$;

-- Do what has come due by itself, merged by instant: grants that became effective, reservations
-- that lapsed, grants that expired; ties in that order, then by id. Each entry is dated at its
-- instant, so a closed date range never changes whoever comes first.
CREATE FUNCTION ledger_settle_due(context ledger_context) RETURNS ledger_context
LANGUAGE plpgsql AS $$
DECLARE
    due record;
BEGIN
    IF context.next_due_at IS NULL OR context.next_due_at > context.instant THEN
        RETURN context;
    END IF;
    LOOP
        SELECT candidate.* INTO due FROM (
            (SELECT effective_at AS at, 1 AS rank, id FROM credits_creditgrant
              WHERE company_id = context.company_id AND granted_at IS NULL AND cancelled_at IS NULL
                AND effective_at <= context.instant
              ORDER BY effective_at, id LIMIT 1)
            UNION ALL
            (SELECT lapses_at, 2, id FROM credits_reservation
              WHERE company_id = context.company_id AND state = 'OPEN' AND lapses_at <= context.instant
              ORDER BY lapses_at, id LIMIT 1)
            UNION ALL
            (SELECT expires_at, 3, id FROM credits_creditgrant
              WHERE company_id = context.company_id AND is_open AND expires_at <= context.instant
              ORDER BY expires_at, id LIMIT 1)
        ) candidate ORDER BY candidate.at, candidate.rank, candidate.id LIMIT 1;
        EXIT WHEN NOT FOUND;
        CASE due.rank
            WHEN 1 THEN context := ledger_make_effective(context, due.id, due.at);
            WHEN 2 THEN context := ledger_close_reservation(context, due.id, 'LAPSED', due.at, 'LAPSE');
            WHEN 3 THEN context := ledger_expire(context, due.id, due.at);
        END CASE;
    END LOOP;
    SELECT least(
        (SELECT min(effective_at) FROM credits_creditgrant
          WHERE company_id = context.company_id AND granted_at IS NULL AND cancelled_at IS NULL),
        (SELECT min(lapses_at) FROM credits_reservation
          WHERE company_id = context.company_id AND state = 'OPEN'),
        (SELECT min(expires_at) FROM credits_creditgrant
          WHERE company_id = context.company_id AND is_open))
      INTO context.next_due_at;
    context.is_changed := true;
    RETURN context;
END
$$;

-- A client's retry: the first result for the same body, a conflict for another one. Null: new key.
CREATE FUNCTION ledger_replay(
    context ledger_context, p_operation text, p_key text, p_body bytea
) RETURNS ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    first credits_idempotencyrecord;
BEGIN
    SELECT * INTO first FROM credits_idempotencyrecord
     WHERE company_id = context.company_id AND operation = p_operation AND key = p_key;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    RETURN ledger_answer(context,
        CASE WHEN first.body_sha256 = p_body THEN 'REPLAYED' ELSE 'CONFLICT' END,
        NULL, first.result_ref, NULL);
END
$$;

CREATE FUNCTION ledger_remember(
    context ledger_context, p_operation text, p_key text, p_body bytea, p_result_ref uuid
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF p_key IS NOT NULL THEN
        INSERT INTO credits_idempotencyrecord (company_id, operation, key, body_sha256, result_ref, created_at)
        VALUES (context.company_id, p_operation, p_key, p_body, p_result_ref, context.instant);
    END IF;
END
$$;

-- The fact of work done. Costs nothing, or names the entry that paid for it and its time.
CREATE FUNCTION ledger_meter(
    context ledger_context, p_usage uuid, p_amount numeric, p_use ledger_use, p_work ledger_work
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO credits_usageevent (
        id, company_id, feature_type, feature_name, feature_ref, action, integration_ref, api_key_ref,
        user_ref, team_ref, request_id, rate_card_id, calls, emails, web_searches, request_count,
        amount, entry_id, occurred_at, after_sequence)
    VALUES (
        p_usage, context.company_id, p_use.feature_type, p_use.feature_name, p_use.feature_ref,
        p_use.action, p_use.integration_ref, p_use.api_key_ref, p_use.user_ref, p_use.team_ref,
        p_use.request_id, p_work.rate_card_id, p_work.calls, p_work.emails, p_work.web_searches,
        p_work.request_count, p_amount, CASE WHEN p_amount > 0 THEN context.entry_id END,
        context.instant, context.sequence);
END
$$;
