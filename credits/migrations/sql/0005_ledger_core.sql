-- The ledger's parts as they are since corrections came: an act opens the guards of pool and
-- grants (0005_guards.sql) and closes them, amounts are finite, an entry's hash is version 2 and
-- covers the facts it stands for, and adjustments are ADJUSTED from their first entry on.

-- Who signs a correction, and why; both stay off the entries.
CREATE TYPE ledger_signature AS (
    correction_id uuid,
    reason text,
    by_id bigint
);

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
    RETURN context;
END
$$;

-- Write the pool back, once per operation.
CREATE OR REPLACE FUNCTION ledger_end(context ledger_context) RETURNS void LANGUAGE plpgsql AS $$
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
    PERFORM set_config('ledger.act', 'off', true);
END
$$;

-- A client's retry: the first result for the same body, a conflict for another one. Null: new key.
CREATE OR REPLACE FUNCTION ledger_replay(
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
    PERFORM ledger_end(context);
    RETURN ledger_answer(context,
        CASE WHEN first.body_sha256 = p_body THEN 'REPLAYED' ELSE 'CONFLICT' END,
        NULL, first.result_ref, NULL);
END
$$;

-- NaN is above every number for PostgreSQL, and so is Infinity: the upper bound refuses both.
CREATE OR REPLACE FUNCTION ledger_refuse_inexact(p_amount numeric) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF p_amount IS NULL OR p_amount < 0 OR p_amount > 999999999999999.999
       OR p_amount <> round(p_amount, 3) THEN
        RAISE EXCEPTION '% is no amount of credits', p_amount USING ERRCODE = 'numeric_value_out_of_range';
    END IF;
END
$$;

CREATE FUNCTION ledger_refuse_endless(p_instant timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT isfinite(p_instant) THEN
        RAISE EXCEPTION '% is no instant; leave it out for without end', p_instant
            USING ERRCODE = 'datetime_field_overflow';
    END IF;
END
$$;

-- An instant as the hashes have it.
CREATE FUNCTION ledger_instant_text(p_instant timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(to_char(p_instant AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '')
$$;

-- A grant's terms, for the hash of the entry that makes it effective.
CREATE FUNCTION ledger_terms_text(lot credits_creditgrant) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws('|', 'TERMS', lot.id, lot.company_id, lot.source, lot.amount::numeric(18, 3),
        ledger_instant_text(lot.effective_at), ledger_instant_text(lot.requested_effective_at),
        ledger_instant_text(lot.expires_at), lot.priority, ledger_instant_text(lot.created_at))
$$;

-- What was done, for the hash of the entry that paid for it. Free text carries its length in
-- bytes, so that no two uses have the same text.
CREATE FUNCTION ledger_usage_text(p_usage uuid, p_use ledger_use, p_work ledger_work) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT concat_ws('|', 'USAGE', p_usage, p_use.feature_type,
        octet_length(p_use.feature_name), p_use.feature_name, coalesce(p_use.feature_ref::text, ''),
        p_use.action, coalesce(p_use.integration_ref::text, ''),
        coalesce(p_use.api_key_ref::text, ''), coalesce(p_use.user_ref::text, ''),
        coalesce(p_use.team_ref::text, ''), octet_length(p_use.request_id), p_use.request_id,
        p_work.rate_card_id, p_work.calls, p_work.emails, p_work.web_searches,
        coalesce(p_work.request_count::text, ''))
$$;

-- Version 2: the lots of an entry in drawing order, then the facts it stands for, as one digest.
CREATE FUNCTION ledger_content_digest(p_grants uuid[], p_amounts numeric[], p_facts text)
RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT sha256(convert_to(
        string_agg(lot.id::text || ':' || lot.amount::numeric(18, 3)::text, ';' ORDER BY lot.place)
            || '|' || coalesce(p_facts, ''), 'UTF8'))
      FROM unnest(p_grants, p_amounts) WITH ORDINALITY AS lot (id, amount, place)
$$;

-- The entry's bytes: every column, a digest, the hash before. Version 1 has the digest of the
-- drawdowns (ledger_drawdown_digest), version 2 that of the content.
DROP FUNCTION ledger_entry_hash;
CREATE FUNCTION ledger_entry_hash(
    p_version text,
    p_company bigint, p_sequence bigint, p_kind text, p_amount numeric, p_before numeric, p_after numeric,
    p_occurred_at timestamptz, p_recorded_at timestamptz, p_cause text, p_cause_ref uuid, p_grant uuid,
    p_corrects bigint, p_actor uuid, p_digest bytea, p_previous bytea
) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(convert_to(concat_ws('|',
        p_version, p_company, p_sequence, p_kind,
        p_amount::numeric(18, 3), p_before::numeric(18, 3), p_after::numeric(18, 3),
        to_char(p_occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        to_char(p_recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        p_cause, p_cause_ref, coalesce(p_grant::text, ''), coalesce(p_corrects::text, ''),
        coalesce(p_actor::text, ''), encode(p_digest, 'hex')), 'UTF8') || p_previous)
$$;

-- Append one entry with the lots it moved. The caller has changed the grants. p_facts: the terms
-- of the grant it makes effective, or the use it pays for.
DROP FUNCTION ledger_post;
CREATE FUNCTION ledger_post(
    context ledger_context, p_kind text, p_amount numeric, p_occurred_at timestamptz,
    p_cause text, p_cause_ref uuid, p_grant uuid, p_corrects bigint, p_grants uuid[], p_amounts numeric[],
    p_facts text DEFAULT NULL
) RETURNS ledger_context LANGUAGE plpgsql AS $$
DECLARE
    before numeric(18, 3) := context.balance;
BEGIN
    context.sequence := context.sequence + 1;
    context.balance := before + p_amount;
    context.last_occurred_at := greatest(p_occurred_at, context.last_occurred_at);
    context.last_hash := ledger_entry_hash(
        '2', context.company_id, context.sequence, p_kind, p_amount, before, context.balance,
        context.last_occurred_at, context.instant, p_cause, p_cause_ref, p_grant, p_corrects,
        context.actor_ref, ledger_content_digest(p_grants, p_amounts, p_facts), context.last_hash);
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

-- An adjustment is a correction upwards, whoever made the grant and whenever it starts.
CREATE OR REPLACE FUNCTION ledger_make_effective(context ledger_context, p_grant uuid, p_at timestamptz)
RETURNS ledger_context LANGUAGE plpgsql AS $$
DECLARE
    lot credits_creditgrant;
BEGIN
    UPDATE credits_creditgrant SET granted_at = p_at, remaining = amount, is_open = true
     WHERE id = p_grant RETURNING * INTO lot;
    RETURN ledger_post(context,
        CASE lot.source WHEN 'ADJUSTMENT' THEN 'ADJUSTED' ELSE 'GRANTED' END, lot.amount, p_at,
        CASE lot.source WHEN 'ADJUSTMENT' THEN 'ADJUST' ELSE 'ISSUE' END, p_grant, p_grant, NULL,
        ARRAY[p_grant], ARRAY[lot.amount], ledger_terms_text(lot));
END
$$;

-- Make a grant; one that starts now is effective at once. The caller has checked its terms.
CREATE FUNCTION ledger_add_grant(
    context ledger_context, p_grant uuid, p_source text, p_amount numeric, p_starts_at timestamptz,
    p_requested_at timestamptz, p_expires_at timestamptz, p_priority integer,
    p_reference text, p_reason text, p_created_by bigint
) RETURNS ledger_context LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO credits_creditgrant (
        id, company_id, source, amount, remaining, held, voided, corrected_down, priority,
        effective_at, expires_at, requested_effective_at, is_open, reference, reason,
        created_at, created_by_id)
    VALUES (
        p_grant, context.company_id, p_source, p_amount, 0, 0, 0, 0, p_priority,
        p_starts_at, p_expires_at, p_requested_at, false, p_reference, p_reason,
        context.instant, p_created_by);
    IF p_starts_at = context.instant THEN
        context := ledger_make_effective(context, p_grant, p_starts_at);
        context.next_due_at := least(context.next_due_at, p_expires_at);
    ELSE
        context.next_due_at := least(context.next_due_at, p_starts_at);
        context.is_changed := true;
    END IF;
    RETURN context;
END
$$;

-- The next instant at which something happens by itself; null: never.
CREATE FUNCTION ledger_next_due(p_company bigint) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT least(
        (SELECT min(effective_at) FROM credits_creditgrant
          WHERE company_id = p_company AND granted_at IS NULL AND cancelled_at IS NULL),
        (SELECT min(lapses_at) FROM credits_reservation
          WHERE company_id = p_company AND state = 'OPEN'),
        (SELECT min(expires_at) FROM credits_creditgrant
          WHERE company_id = p_company AND is_open))
$$;

-- Do what has come due by itself, merged by instant: grants that became effective, reservations
-- that lapsed, grants that expired; ties in that order, then by id. Each entry is dated at its
-- instant, so a closed date range never changes whoever comes first.
CREATE OR REPLACE FUNCTION ledger_settle_due(context ledger_context) RETURNS ledger_context
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
    context.next_due_at := ledger_next_due(context.company_id);
    context.is_changed := true;
    RETURN context;
END
$$;

-- Write down who corrected what, and why. An amount of 0 has no entry.
CREATE FUNCTION ledger_sign(
    context ledger_context, p_signature ledger_signature, p_kind text, p_grant uuid, p_usage uuid,
    p_entry bigint, p_amount numeric
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO credits_correction (
        id, company_id, kind, grant_id, usage_event_id, entry_id, amount, reason, by_id, created_at)
    VALUES (
        p_signature.correction_id, context.company_id, p_kind, p_grant, p_usage,
        CASE WHEN p_amount <> 0 THEN p_entry END, p_amount, p_signature.reason, p_signature.by_id,
        context.instant);
END
$$;
