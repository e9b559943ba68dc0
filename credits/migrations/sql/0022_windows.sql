-- What counts against a limit in a span, from the rows themselves: charges less refunds, and holds,
-- of all that was admitted in it. A reservation is captured within the hour, and before it was opened
-- where a clock stepped back meanwhile: by less than a day.
CREATE OR REPLACE FUNCTION ledger_used_within(
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
           AND u.occurred_at >= p_from - interval '1 day' AND u.occurred_at < p_until + interval '60 minutes'
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
