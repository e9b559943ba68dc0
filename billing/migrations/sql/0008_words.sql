-- What people wrote beside an act may name somebody: the path that erases (credits/erasure.py) takes
-- such words out, and nothing else. Figures, days, states and who decided stay as they were.

CREATE OR REPLACE FUNCTION billing_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('ledger.erasure', true) = 'on'
       AND to_jsonb(NEW) - ARRAY['note', 'reason']
         = to_jsonb(OLD) - ARRAY['note', 'reason'] THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% on % is refused: its rows are only added', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_is_append_only';
END
$$;

CREATE OR REPLACE FUNCTION billing_keep_purchase() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('ledger.erasure', true) = 'on'
       AND to_jsonb(NEW) - ARRAY['order_reference', 'order_key', 'note', 'cancel_reason', 'void_reason']
         = to_jsonb(OLD) - ARRAY['order_reference', 'order_key', 'note', 'cancel_reason', 'void_reason'] THEN
        RETURN NEW;
    END IF;
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION '% on billing_purchase is refused: a purchase is cancelled or voided', TG_OP
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'purchase_is_never_deleted';
    END IF;
    IF (OLD.state = 'FULFILLED' OR OLD.state = 'CANCELLED'
        OR OLD.state = 'APPROVED' AND NEW.state = 'REQUESTED')
       AND NEW.state <> OLD.state THEN
        RAISE EXCEPTION 'Purchase #% is % and stays so', OLD.number, OLD.state
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'purchase_state_only_moves_forward';
    END IF;
    IF (NEW.company_id, NEW.number, NEW.amount, NEW.requested_at, NEW.requested_by_id, NEW.replaces_id)
       IS DISTINCT FROM
       (OLD.company_id, OLD.number, OLD.amount, OLD.requested_at, OLD.requested_by_id, OLD.replaces_id)
       OR OLD.request_key <> ''
       AND (NEW.request_key, NEW.request_sha256) IS DISTINCT FROM (OLD.request_key, OLD.request_sha256)
       OR OLD.approved_at IS NOT NULL
       AND (NEW.approved_at, NEW.approved_by_id, NEW.approval_limit)
       IS DISTINCT FROM (OLD.approved_at, OLD.approved_by_id, OLD.approval_limit)
       OR OLD.state = 'FULFILLED'
       AND (NEW.fulfilled_at, NEW.fulfilled_by_id, NEW.grant_id, NEW.starts_on, NEW.ends_on,
            NEW.order_reference)
       IS DISTINCT FROM
           (OLD.fulfilled_at, OLD.fulfilled_by_id, OLD.grant_id, OLD.starts_on, OLD.ends_on,
            OLD.order_reference)
       OR OLD.cancelled_at IS NOT NULL
       AND (NEW.cancelled_at, NEW.cancelled_by_id, NEW.cancel_reason, NEW.order_reference)
       IS DISTINCT FROM (OLD.cancelled_at, OLD.cancelled_by_id, OLD.cancel_reason, OLD.order_reference)
       OR OLD.voided_at IS NOT NULL
       AND (NEW.voided_at, NEW.voided_by_id, NEW.void_reason)
       IS DISTINCT FROM (OLD.voided_at, OLD.voided_by_id, OLD.void_reason) THEN
        RAISE EXCEPTION 'What was done with purchase #% is not changed afterwards', OLD.number
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'purchase_steps_are_not_rewritten';
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE FUNCTION billing_keep_zone_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('ledger.erasure', true) = 'on'
       AND to_jsonb(NEW) - ARRAY['reason']
         = to_jsonb(OLD) - ARRAY['reason'] THEN
        RETURN NEW;
    END IF;
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION '% on billing_zonechange is refused: decisions are kept', TG_OP
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'zone_change_is_never_deleted';
    END IF;
    IF OLD.applied_at IS NOT NULL OR OLD.withdrawn_at IS NOT NULL
       OR (to_jsonb(NEW) - 'applied_at' - 'withdrawn_at')
       IS DISTINCT FROM (to_jsonb(OLD) - 'applied_at' - 'withdrawn_at') THEN
        RAISE EXCEPTION 'A decision on a time zone is not rewritten'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'zone_change_is_not_rewritten';
    END IF;
    RETURN NEW;
END
$$;
