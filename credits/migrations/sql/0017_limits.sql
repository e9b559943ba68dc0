-- Limits of spending (SPEC §7): checked and counted under the pool's lock, in the act that reserves or
-- charges, so that one round trip stays one and callers at once never go above one. What is reserved
-- or charged counts in the window it was admitted in, however late it is captured: a capture then
-- never takes a window above its limit. What a capture leaves, a release, a lapse and a refund give
-- back there. One row a limit and window holds the sum: a company's history is never added up anew.
-- The windows are laid out ahead by Python (credits/limits.py), because to PostgreSQL some names of
-- time zones are abbreviations; an act that finds none answers UNPREPARED and is asked again.

ALTER TYPE ledger_context ADD ATTRIBUTE is_limited boolean;

-- Whether a use counts against a limit.
CREATE FUNCTION ledger_limit_covers(one credits_spendinglimit, p_use ledger_use) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(
        one.feature_type IN ('', p_use.feature_type)
        AND (one.feature_ref IS NULL OR one.feature_ref = p_use.feature_ref)
        AND (one.integration_id IS NULL OR one.integration_id = p_use.integration_ref)
        AND (one.api_key_id IS NULL OR p_use.api_key_ref = ANY (one.api_key_refs)), false)
$$;

-- What counts against a limit in a span, from the rows themselves: charges less refunds, and holds,
-- of all that was admitted in it. A reservation is captured within the hour.
CREATE FUNCTION ledger_used_within(
    one credits_spendinglimit, p_from timestamptz, p_until timestamptz
) RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT coalesce((
        SELECT sum(u.amount - coalesce(back.amount, 0))
          FROM credits_usageevent u
          LEFT JOIN credits_reservation r ON r.usage_event_id = u.id
          LEFT JOIN LATERAL (
              SELECT sum(e.amount) AS amount FROM credits_ledgerentry e
               WHERE e.company_id = u.company_id AND e.corrects_sequence = u.after_sequence
                 AND e.kind = 'REFUNDED') back ON true
         WHERE u.company_id = one.company_id AND u.amount > 0
           AND u.occurred_at >= p_from AND u.occurred_at < p_until + interval '60 minutes'
           AND coalesce(r.opened_at, u.occurred_at) >= p_from
           AND coalesce(r.opened_at, u.occurred_at) < p_until
           AND ledger_limit_covers(one, ROW(u.feature_type, u.feature_name, u.feature_ref, u.action,
               u.integration_ref, u.api_key_ref, u.user_ref, u.team_ref, u.request_id)::ledger_use)), 0)
    + coalesce((
        SELECT sum(r.amount)
          FROM credits_reservation r
         WHERE r.company_id = one.company_id AND r.state = 'OPEN'
           AND r.opened_at >= p_from AND r.opened_at < p_until
           AND ledger_limit_covers(one, ROW(r.feature_type, r.feature_name, r.feature_ref, r.action,
               r.integration_ref, r.api_key_ref, r.user_ref, r.team_ref, r.request_id)::ledger_use)), 0)
$$;

-- Why a use is refused, of a company with limits: LIMITED by the one that leaves least, unless the
-- pool leaves less; UNPREPARED when a window is missing or the company's time zone has changed. Null:
-- it is not refused. `available` is what the limit leaves, `until` when its window ends.
CREATE FUNCTION ledger_limit_refusal(context ledger_context, p_amount numeric, p_use ledger_use)
RETURNS ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    tightest record;
    answer ledger_outcome;
BEGIN
    IF p_amount = 0 THEN
        RETURN NULL;
    END IF;
    SELECT one.id, one.is_hard, greatest(one.credits - current.used, 0) AS room, current.ends_at,
           current.id IS NULL OR one.time_zone <> c.time_zone AS is_unprepared
      INTO tightest
      FROM credits_spendinglimit one
      JOIN credits_company c ON c.id = one.company_id
      LEFT JOIN LATERAL (
          SELECT w.id, w.used, w.ends_at FROM credits_limituse w
           WHERE w.limit_id = one.id AND w.starts_at <= context.instant
           ORDER BY w.starts_at DESC LIMIT 1) current ON current.ends_at > context.instant
     WHERE one.company_id = context.company_id AND one.ended_at IS NULL
       AND ledger_limit_covers(one, p_use)
     ORDER BY is_unprepared DESC, one.is_hard DESC, room, one.id
     LIMIT 1;
    IF tightest.is_unprepared THEN
        RETURN ledger_answer(context, 'UNPREPARED', p_amount, NULL, NULL);
    END IF;
    IF tightest.is_hard AND tightest.room < least(p_amount, context.balance - context.reserved) THEN
        answer := ledger_answer(context, 'LIMITED', p_amount, tightest.id, tightest.ends_at);
        answer.available := tightest.room;
        RETURN answer;
    END IF;
    RETURN NULL;
END
$$;

-- Count an amount that was admitted at an instant, below 0 for what comes back. Windows from before
-- a limit was set are not there, and nothing is counted in them.
CREATE FUNCTION ledger_count(context ledger_context, p_use ledger_use, p_at timestamptz, p_amount numeric)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE credits_limituse counted SET used = counted.used + p_amount
      FROM credits_spendinglimit one
      CROSS JOIN LATERAL (
          SELECT w.id, w.ends_at FROM credits_limituse w
           WHERE w.limit_id = one.id AND w.starts_at <= p_at
           ORDER BY w.starts_at DESC LIMIT 1) covering
     WHERE one.company_id = context.company_id AND one.ended_at IS NULL
       AND ledger_limit_covers(one, p_use) AND covering.ends_at > p_at AND counted.id = covering.id;
END
$$;

-- Set a limit, or change the one that its subject has: what it allows, and whether it refuses. A new
-- one counts what was used in the window before it was set. Of two keys of which one replaces the
-- other the limit is one.
CREATE FUNCTION ledger_set_limit(
    p_company bigint, p_limit uuid, p_subject text, p_feature_type text, p_feature_ref uuid,
    p_integration uuid, p_api_key uuid, p_api_key_refs uuid[], p_name text, p_window text,
    p_credits numeric, p_is_hard boolean, p_by bigint, p_time_zone text, p_boundaries timestamptz[],
    p_count_max integer
) RETURNS ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    context ledger_context;
    one credits_spendinglimit;
BEGIN
    PERFORM ledger_refuse_inexact(p_credits);
    context := ledger_settle_due(ledger_begin(p_company, NULL));
    IF ledger_is_closed(p_company) THEN
        PERFORM ledger_end(context);
        RETURN ledger_answer(context, 'CLOSED', p_credits, NULL, NULL);
    END IF;
    UPDATE credits_spendinglimit s SET credits = p_credits, is_hard = p_is_hard, name = p_name
     WHERE s.company_id = p_company AND s.ended_at IS NULL AND s.subject = p_subject
       AND s."window" = p_window AND s.feature_type = p_feature_type
       AND s.feature_ref IS NOT DISTINCT FROM p_feature_ref
       AND s.integration_id IS NOT DISTINCT FROM p_integration
       AND (p_api_key IS NULL OR p_api_key = ANY (s.api_key_refs))
    RETURNING * INTO one;
    IF one.id IS NOT NULL THEN
        PERFORM ledger_end(context);
        RETURN ledger_answer(context, 'OK', p_credits, one.id, one.created_at);
    END IF;
    UPDATE credits_creditpool SET limit_count = limit_count + 1
     WHERE company_id = p_company AND limit_count < p_count_max;
    IF NOT FOUND THEN
        PERFORM ledger_end(context);
        RETURN ledger_answer(context, 'TOO_MANY', p_credits, NULL, NULL);
    END IF;
    INSERT INTO credits_spendinglimit (
        id, company_id, subject, feature_type, feature_ref, integration_id, api_key_id, api_key_refs,
        name, "window", credits, is_hard, time_zone, created_at, created_by_id)
    VALUES (
        p_limit, p_company, p_subject, p_feature_type, p_feature_ref, p_integration, p_api_key,
        p_api_key_refs, p_name, p_window, p_credits, p_is_hard, p_time_zone, context.instant, p_by)
    RETURNING * INTO one;
    INSERT INTO credits_limituse (company_id, limit_id, starts_at, ends_at, used)
    SELECT p_company, p_limit, b.starts_at, b.ends_at,
           CASE WHEN b.starts_at <= context.instant
                THEN ledger_used_within(one, b.starts_at, b.ends_at) ELSE 0 END
      FROM (SELECT at AS starts_at, lead(at) OVER (ORDER BY at) AS ends_at
              FROM unnest(p_boundaries) AS boundary (at)) b
     WHERE b.ends_at IS NOT NULL;
    PERFORM ledger_end(context);
    RETURN ledger_answer(context, 'OK', p_credits, p_limit, context.instant);
END
$$;

CREATE FUNCTION ledger_end_limit(p_company bigint, p_limit uuid, p_by bigint) RETURNS ledger_outcome
LANGUAGE plpgsql AS $$
DECLARE
    context ledger_context;
    found_at timestamptz;
BEGIN
    context := ledger_settle_due(ledger_begin(p_company, NULL));
    UPDATE credits_spendinglimit SET ended_at = context.instant, ended_by_id = p_by
     WHERE company_id = p_company AND id = p_limit AND ended_at IS NULL;
    IF NOT FOUND THEN
        SELECT ended_at INTO found_at FROM credits_spendinglimit
         WHERE company_id = p_company AND id = p_limit;
        PERFORM ledger_end(context);
        RETURN ledger_answer(context, CASE WHEN found_at IS NULL THEN 'UNKNOWN' ELSE 'ENDED' END,
            NULL, p_limit, found_at);
    END IF;
    UPDATE credits_creditpool SET limit_count = limit_count - 1 WHERE company_id = p_company;
    PERFORM ledger_end(context);
    RETURN ledger_answer(context, 'OK', NULL, p_limit, context.instant);
END
$$;

-- A key's limits are those of the key that replaces it, too: both count together.
CREATE FUNCTION ledger_limits_follow(p_company bigint, p_old uuid, p_new uuid) RETURNS ledger_outcome
LANGUAGE plpgsql AS $$
DECLARE
    context ledger_context;
BEGIN
    context := ledger_settle_due(ledger_begin(p_company, NULL));
    UPDATE credits_spendinglimit SET api_key_refs = api_key_refs || p_new
     WHERE company_id = p_company AND ended_at IS NULL AND p_old = ANY (api_key_refs);
    PERFORM ledger_end(context);
    RETURN ledger_answer(context, 'OK', NULL, NULL, NULL);
END
$$;

-- Lay out the windows ahead, by boundaries in the company's time zone. The window under way stays;
-- the next begins where it ends, and one that would be shorter than half is part of it, so that a
-- change of the zone never lets a limit be used twice within hours.
CREATE FUNCTION ledger_prepare_windows(
    p_company bigint, p_time_zone text, p_days timestamptz[], p_months timestamptz[]
) RETURNS ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    context ledger_context;
    one credits_spendinglimit;
    last_end timestamptz;
    boundary timestamptz;
    is_day boolean;
BEGIN
    context := ledger_settle_due(ledger_begin(p_company, NULL));
    FOR one IN
        SELECT * FROM credits_spendinglimit WHERE company_id = p_company AND ended_at IS NULL
    LOOP
        DELETE FROM credits_limituse WHERE limit_id = one.id AND starts_at > context.instant;
        SELECT ends_at INTO last_end FROM credits_limituse
         WHERE limit_id = one.id ORDER BY starts_at DESC LIMIT 1;
        is_day := one."window" = 'DAY';
        FOREACH boundary IN ARRAY CASE WHEN is_day THEN p_days ELSE p_months END LOOP
            IF last_end IS NULL THEN
                -- It was set with windows of a later time: a clock was ahead. Begin with today's.
                last_end := boundary;
                CONTINUE;
            END IF;
            CONTINUE WHEN boundary
                < last_end + CASE WHEN is_day THEN interval '12 hours' ELSE interval '336 hours' END;
            INSERT INTO credits_limituse (company_id, limit_id, starts_at, ends_at, used)
            VALUES (p_company, one.id, last_end, boundary,
                CASE WHEN last_end <= context.instant AND boundary > context.instant
                     THEN ledger_used_within(one, last_end, boundary) ELSE 0 END);
            last_end := boundary;
        END LOOP;
        UPDATE credits_spendinglimit SET time_zone = p_time_zone WHERE id = one.id;
    END LOOP;
    PERFORM ledger_end(context);
    RETURN ledger_answer(context, 'OK', NULL, NULL, NULL);
END
$$;

-- What counts against a limit is written in an act, and so are limits.
CREATE FUNCTION ledger_guard_limit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('ledger.act', true) IS DISTINCT FROM 'on'
       OR TG_OP = 'DELETE' AND TG_TABLE_NAME = 'credits_spendinglimit' THEN
        RAISE EXCEPTION '% on % is refused: only an act of the ledger does that', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation',
                  CONSTRAINT = TG_TABLE_NAME || '_is_written_by_the_ledger';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER credits_spendinglimit_is_guarded BEFORE INSERT OR UPDATE OR DELETE ON credits_spendinglimit
    FOR EACH ROW EXECUTE FUNCTION ledger_guard_limit();
CREATE TRIGGER credits_limituse_is_guarded BEFORE INSERT OR UPDATE OR DELETE ON credits_limituse
    FOR EACH ROW EXECUTE FUNCTION ledger_guard_limit();
CREATE TRIGGER credits_spendinglimit_is_never_truncated BEFORE TRUNCATE ON credits_spendinglimit
    EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER credits_limituse_is_never_truncated BEFORE TRUNCATE ON credits_limituse
    EXECUTE FUNCTION ledger_refuse_change();
