-- A grant's terms are fixed when it is made, and the figures of grants and pools are the ledger's:
-- what is not inside an act (ledger_begin to ledger_end) is a second writer and is refused. The
-- flag is a seat belt against our own code, not a lock against a hand that may set it: that hand
-- is stopped by the roles of the database and found by check_ledger.
-- The conditions stand in the functions, whose text check_ledger compares, not in the triggers.
CREATE FUNCTION ledger_guard_pool() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('ledger.act', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION '% on % is refused: only an act of the ledger does that', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'pool_is_written_by_the_ledger';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$$;

-- What a person may erase, reference, reason and who made it, can be changed outside an act.
CREATE FUNCTION ledger_guard_grant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND
       (NEW.id, NEW.company_id, NEW.source, NEW.amount, NEW.priority, NEW.effective_at,
        NEW.requested_effective_at, NEW.expires_at, NEW.created_at)
       IS DISTINCT FROM
       (OLD.id, OLD.company_id, OLD.source, OLD.amount, OLD.priority, OLD.effective_at,
        OLD.requested_effective_at, OLD.expires_at, OLD.created_at) THEN
        RAISE EXCEPTION 'the terms of grant % are fixed: void it and issue another', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'grant_terms_are_fixed';
    END IF;
    IF current_setting('ledger.act', true) IS DISTINCT FROM 'on' AND (
       TG_OP <> 'UPDATE' OR
       (NEW.remaining, NEW.held, NEW.voided, NEW.corrected_down, NEW.granted_at, NEW.expired_at,
        NEW.voided_at, NEW.cancelled_at, NEW.is_open)
       IS DISTINCT FROM
       (OLD.remaining, OLD.held, OLD.voided, OLD.corrected_down, OLD.granted_at, OLD.expired_at,
        OLD.voided_at, OLD.cancelled_at, OLD.is_open)) THEN
        RAISE EXCEPTION '% on % is refused: only an act of the ledger does that', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'grant_is_written_by_the_ledger';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER credits_creditpool_is_guarded BEFORE INSERT OR UPDATE OR DELETE ON credits_creditpool
    FOR EACH ROW EXECUTE FUNCTION ledger_guard_pool();
CREATE TRIGGER credits_creditgrant_is_guarded BEFORE INSERT OR UPDATE OR DELETE ON credits_creditgrant
    FOR EACH ROW EXECUTE FUNCTION ledger_guard_grant();
