-- What was counted, computed or given is never changed or removed: a correction is a new row.
CREATE FUNCTION billing_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: its rows are only added', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_is_append_only';
END
$$;

CREATE TRIGGER billing_seatcount_is_append_only BEFORE UPDATE OR DELETE ON billing_seatcount
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER billing_seatcount_is_never_truncated BEFORE TRUNCATE ON billing_seatcount
    EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER billing_allocationline_is_append_only BEFORE UPDATE OR DELETE ON billing_allocationline
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER billing_allocationline_is_never_truncated BEFORE TRUNCATE ON billing_allocationline
    EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER billing_topup_is_append_only BEFORE UPDATE OR DELETE ON billing_topup
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER billing_topup_is_never_truncated BEFORE TRUNCATE ON billing_topup
    EXECUTE FUNCTION billing_refuse_change();

-- A purchase moves forward only, and what was fulfilled or cancelled stays so; voiding says
-- something more about a fulfilled one, once. Nothing is deleted.
CREATE FUNCTION billing_keep_purchase() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
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
    IF (NEW.company_id, NEW.number, NEW.amount, NEW.requested_at, NEW.requested_by_id)
       IS DISTINCT FROM (OLD.company_id, OLD.number, OLD.amount, OLD.requested_at, OLD.requested_by_id)
       OR OLD.approved_at IS NOT NULL
       AND (NEW.approved_at, NEW.approved_by_id, NEW.approval_limit)
       IS DISTINCT FROM (OLD.approved_at, OLD.approved_by_id, OLD.approval_limit)
       OR OLD.state = 'FULFILLED'
       AND (NEW.fulfilled_at, NEW.fulfilled_by_id, NEW.grant_id, NEW.starts_on, NEW.ends_on)
       IS DISTINCT FROM (OLD.fulfilled_at, OLD.fulfilled_by_id, OLD.grant_id, OLD.starts_on, OLD.ends_on)
       OR OLD.cancelled_at IS NOT NULL
       AND (NEW.cancelled_at, NEW.cancelled_by_id)
       IS DISTINCT FROM (OLD.cancelled_at, OLD.cancelled_by_id)
       OR OLD.voided_at IS NOT NULL
       AND (NEW.voided_at, NEW.voided_by_id) IS DISTINCT FROM (OLD.voided_at, OLD.voided_by_id) THEN
        RAISE EXCEPTION 'What was done with purchase #% is not changed afterwards', OLD.number
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'purchase_steps_are_not_rewritten';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER purchase_keeps_its_steps BEFORE UPDATE OR DELETE ON billing_purchase
    FOR EACH ROW EXECUTE FUNCTION billing_keep_purchase();
CREATE TRIGGER purchase_is_never_truncated BEFORE TRUNCATE ON billing_purchase
    EXECUTE FUNCTION billing_keep_purchase();

-- An allocation is written once; the only thing that can still happen to it is that it is issued
-- anew, before its start.
CREATE FUNCTION billing_keep_allocation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION '% on billing_allocation is refused: allocations are kept', TG_OP
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'allocation_is_never_deleted';
    END IF;
    IF OLD.state <> 'ISSUED' OR NEW.state <> 'CANCELLED'
       OR (to_jsonb(NEW) - 'state' - 'cancelled_at')
       IS DISTINCT FROM (to_jsonb(OLD) - 'state' - 'cancelled_at') THEN
        RAISE EXCEPTION 'An allocation is only ever issued anew'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'allocation_is_only_cancelled';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER allocation_keeps_what_it_says BEFORE UPDATE OR DELETE ON billing_allocation
    FOR EACH ROW EXECUTE FUNCTION billing_keep_allocation();
CREATE TRIGGER allocation_is_never_truncated BEFORE TRUNCATE ON billing_allocation
    EXECUTE FUNCTION billing_keep_allocation();
