-- Correcting the books (SPEC §2): cancel a grant to come, void one, take or give credits, refund a
-- charge. Same order as every operation: lock, clock, key, settle, lots, entry; then who and why.

-- What a void would do now. The outcome is OK or why it is refused; figures of the grant as it is.
CREATE FUNCTION ledger_voidable(
    p_company bigint, p_grant uuid,
    OUT outcome text, OUT amount numeric, OUT used numeric, OUT held numeric, OUT taken numeric
) LANGUAGE plpgsql STABLE AS $$
DECLARE
    lot credits_creditgrant;
BEGIN
    SELECT * INTO lot FROM credits_creditgrant WHERE company_id = p_company AND id = p_grant;
    outcome := CASE
        WHEN lot.id IS NULL THEN 'UNKNOWN'
        WHEN lot.cancelled_at IS NOT NULL THEN 'CANCELLED'
        WHEN lot.voided_at IS NOT NULL THEN 'VOIDED'
        WHEN lot.granted_at IS NULL THEN 'NOT_STARTED'
        WHEN lot.expired_at IS NOT NULL THEN 'EXPIRED'
        WHEN lot.remaining = 0 THEN 'USED_UP'
        ELSE 'OK' END;
    amount := lot.amount;
    used := lot.amount - lot.remaining - lot.voided - lot.corrected_down;
    held := lot.held;
    taken := lot.remaining - lot.held;
END
$$;

CREATE FUNCTION ledger_cancel(
    p_company bigint, p_actor uuid, p_grant uuid, p_signature ledger_signature,
    p_key text DEFAULT NULL, p_body bytea DEFAULT NULL
) RETURNS ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    context ledger_context;
    replay ledger_outcome;
    lot credits_creditgrant;
    refusal text;
BEGIN
    context := ledger_begin(p_company, p_actor);
    replay := ledger_replay(context, 'CANCEL', p_key, p_body);
    IF replay.outcome IS NOT NULL THEN
        RETURN replay;
    END IF;
    context := ledger_settle_due(context);
    SELECT * INTO lot FROM credits_creditgrant WHERE company_id = p_company AND id = p_grant;
    refusal := CASE
        WHEN lot.id IS NULL THEN 'UNKNOWN'
        WHEN lot.cancelled_at IS NOT NULL THEN 'CANCELLED'
        WHEN lot.granted_at IS NOT NULL THEN 'STARTED' END;
    IF refusal IS NOT NULL THEN
        PERFORM ledger_end(context);
        RETURN ledger_answer(context, refusal, NULL, NULL, lot.cancelled_at);
    END IF;
    UPDATE credits_creditgrant SET cancelled_at = context.instant WHERE id = p_grant;
    context.next_due_at := ledger_next_due(p_company);
    context.is_changed := true;
    PERFORM ledger_sign(context, p_signature, 'CANCELLED', p_grant, NULL, NULL, 0);
    PERFORM ledger_remember(context, 'CANCEL', p_key, p_body, p_signature.correction_id);
    PERFORM ledger_end(context);
    RETURN ledger_answer(context, 'OK', NULL, p_signature.correction_id, context.instant);
END
$$;

-- Take what is not held now; what comes back later is voided as it comes (ledger_return, refund).
CREATE FUNCTION ledger_void(
    p_company bigint, p_actor uuid, p_grant uuid, p_signature ledger_signature,
    p_key text DEFAULT NULL, p_body bytea DEFAULT NULL
) RETURNS ledger_outcome LANGUAGE plpgsql AS $$
DECLARE
    context ledger_context;
    replay ledger_outcome;
    void record;
BEGIN
    context := ledger_begin(p_company, p_actor);
    replay := ledger_replay(context, 'VOID', p_key, p_body);
    IF replay.outcome IS NOT NULL THEN
        RETURN replay;
    END IF;
    context := ledger_settle_due(context);
    void := ledger_voidable(p_company, p_grant);
    IF void.outcome <> 'OK' THEN
        PERFORM ledger_end(context);
        RETURN ledger_answer(context, void.outcome, NULL, NULL, NULL);
    END IF;
    UPDATE credits_creditgrant
       SET remaining = remaining - void.taken, voided = voided + void.taken, is_open = false,
           voided_at = context.instant
     WHERE id = p_grant;
    IF void.taken > 0 THEN
        context := ledger_post(context, 'VOIDED', -void.taken, context.instant, 'VOID',
            p_signature.correction_id, p_grant, NULL, ARRAY[p_grant], ARRAY[-void.taken]);
    END IF;
    context.next_due_at := ledger_next_due(p_company);
    context.is_changed := true;
    PERFORM ledger_sign(
        context, p_signature, 'VOIDED', p_grant, NULL, context.entry_id, -void.taken);
    PERFORM ledger_remember(context, 'VOID', p_key, p_body, p_signature.correction_id);
    PERFORM ledger_end(context);
    RETURN ledger_answer(context, 'OK', void.taken, p_signature.correction_id, context.instant);
END
$$;

-- Give credits: a grant of its own, from now, whose first entry is ADJUSTED.
CREATE FUNCTION ledger_adjust_up(
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
CREATE FUNCTION ledger_adjust_down(
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

-- What can be refunded of a use: an amount of null asks for all that is left of its charge.
CREATE FUNCTION ledger_refundable(
    p_company bigint, p_usage uuid, p_amount numeric,
    OUT outcome text, OUT charge_sequence bigint, OUT charged numeric, OUT refunded numeric,
    OUT amount numeric
) LANGUAGE plpgsql STABLE AS $$
DECLARE
    is_known boolean;
BEGIN
    SELECT true, e.sequence, u.amount INTO is_known, charge_sequence, charged
      FROM credits_usageevent u LEFT JOIN credits_ledgerentry e ON e.id = u.entry_id
     WHERE u.company_id = p_company AND u.id = p_usage;
    SELECT coalesce(sum(e.amount), 0) INTO refunded FROM credits_ledgerentry e
     WHERE e.company_id = p_company AND e.corrects_sequence = charge_sequence
       AND e.kind = 'REFUNDED';
    amount := coalesce(p_amount, charged - refunded);
    outcome := CASE
        WHEN is_known IS NULL THEN 'UNKNOWN'
        WHEN charge_sequence IS NULL THEN 'FREE'
        WHEN refunded >= charged THEN 'REFUNDED'
        WHEN amount > charged - refunded THEN 'EXCEEDS'
        ELSE 'OK' END;
END
$$;

-- Where a refund goes: the charge's lots in reverse of the order drawn, less what earlier refunds
-- brought back to each; and what becomes of each part there, at an instant that is settled.
CREATE FUNCTION ledger_refund_parts(
    p_company bigint, p_charge_sequence bigint, p_amount numeric, p_instant timestamptz
) RETURNS TABLE (place bigint, grant_id uuid, amount numeric, fate text) LANGUAGE sql STABLE AS $$
    WITH returned AS (
        SELECT r.grant_id, sum(r.amount) AS amount
          FROM credits_ledgerentry e JOIN credits_drawdown r ON r.entry_id = e.id
         WHERE e.company_id = p_company AND e.corrects_sequence = p_charge_sequence
           AND e.kind = 'REFUNDED'
         GROUP BY r.grant_id
    ), drawn AS (
        SELECT row_number() OVER (ORDER BY d.id DESC) AS place, d.grant_id,
               -d.amount - coalesce(b.amount, 0) AS amount
          FROM credits_ledgerentry e
          JOIN credits_drawdown d ON d.entry_id = e.id
          LEFT JOIN returned b ON b.grant_id = d.grant_id
         WHERE e.company_id = p_company AND e.sequence = p_charge_sequence
    ), planned AS (
        SELECT d.place, d.grant_id, least(d.amount, p_amount - coalesce(sum(d.amount) OVER (
                   ORDER BY d.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)) AS amount
          FROM drawn d
    )
    SELECT p.place, p.grant_id, p.amount,
           CASE WHEN g.voided_at IS NOT NULL THEN 'VOIDED'
                WHEN g.expires_at <= p_instant THEN 'EXPIRED'
                ELSE 'KEPT' END
      FROM planned p JOIN credits_creditgrant g ON g.id = p.grant_id
     WHERE p.amount > 0
     ORDER BY p.place
$$;

-- Give back a charge or a part of it. What comes to a lot that has expired or was voided leaves it
-- in the same act; with p_replacement, what expires comes again as an adjustment of 30 days.
CREATE FUNCTION ledger_refund(
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
