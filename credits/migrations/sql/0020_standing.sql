-- What a company has and of how many, in one round trip: every API client asks for it first. The sum
-- is a statement of its own, so it sees what reading the balance has just settled.
CREATE FUNCTION ledger_standing(
    p_company bigint, OUT instant timestamptz, OUT sequence bigint, OUT balance numeric,
    OUT reserved numeric, OUT total numeric
) LANGUAGE plpgsql AS $$
DECLARE
    answer ledger_outcome := ledger_read(p_company);
BEGIN
    instant := answer.instant;
    sequence := answer.sequence;
    balance := answer.balance;
    reserved := answer.reserved;
    SELECT coalesce(sum(
            CASE WHEN lot.expires_at IS NULL OR lot.expires_at > answer.instant
                 THEN lot.amount - lot.voided - lot.corrected_down ELSE lot.held END), 0)
      INTO total
      FROM credits_creditgrant AS lot
     WHERE lot.company_id = p_company AND lot.granted_at IS NOT NULL;
END
$$;
