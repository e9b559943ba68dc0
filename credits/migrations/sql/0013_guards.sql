-- The doors that stood open beside the ledger's acts. Each row below is written by an act, or by the
-- one path that may change it, and is removed by nobody.

-- A grant's terms as one digest, sealed when it is made: its entry, which covers them too, comes only
-- when it starts.
CREATE FUNCTION ledger_terms_hash(lot credits_creditgrant) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(convert_to(ledger_terms_text(lot), 'UTF8'))
$$;

UPDATE credits_creditgrant g SET terms_hash = ledger_terms_hash(g);

-- What a person may erase, reference, reason and who made it, can be changed outside an act.
CREATE OR REPLACE FUNCTION ledger_guard_grant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.terms_hash := ledger_terms_hash(NEW);
    END IF;
    IF TG_OP = 'UPDATE' AND
       (NEW.id, NEW.company_id, NEW.source, NEW.amount, NEW.priority, NEW.effective_at,
        NEW.requested_effective_at, NEW.expires_at, NEW.created_at, NEW.terms_hash)
       IS DISTINCT FROM
       (OLD.id, OLD.company_id, OLD.source, OLD.amount, OLD.priority, OLD.effective_at,
        OLD.requested_effective_at, OLD.expires_at, OLD.created_at, OLD.terms_hash) THEN
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

-- Reservations and holds: written in an act, removed in none.
CREATE FUNCTION ledger_guard_promise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR current_setting('ledger.act', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION '% on % is refused: only an act of the ledger does that', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation',
                  CONSTRAINT = TG_TABLE_NAME || '_is_written_by_the_ledger';
    END IF;
    RETURN NEW;
END
$$;

-- Corrections too. Their reason may be personal: whoever erases it (credits/erasure.py) writes a
-- sentence in its place; all else stays.
CREATE FUNCTION ledger_guard_correction() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('ledger.erasure', true) = 'on'
       AND to_jsonb(NEW) - 'reason' = to_jsonb(OLD) - 'reason' THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' OR current_setting('ledger.act', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION '% on % is refused: only an act of the ledger does that', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation',
                  CONSTRAINT = TG_TABLE_NAME || '_is_written_by_the_ledger';
    END IF;
    RETURN NEW;
END
$$;

-- What a client's key did is known for ever; what the client was told goes after 30 days.
CREATE FUNCTION ledger_keep_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.answer IS NULL
       AND OLD.created_at <= ledger_clock() - interval '720 hours'
       AND to_jsonb(NEW) - 'answer' = to_jsonb(OLD) - 'answer' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% on % is refused: a key has its effect once, for ever', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'idempotency_key_is_kept';
END
$$;

-- What a rate card said while it was in force is what uses were charged by.
CREATE FUNCTION ledger_keep_rate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM credits_ratecard
                WHERE id = OLD.rate_card_id AND effective_at <= ledger_clock()) THEN
        RAISE EXCEPTION '% on % is refused: rate card % is in force; make another',
            TG_OP, TG_TABLE_NAME, OLD.rate_card_id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'rate_is_fixed_once_in_force';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION ledger_keep_rate_card() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.effective_at <= ledger_clock()
       AND (TG_OP = 'DELETE' OR to_jsonb(NEW) - 'note' <> to_jsonb(OLD) - 'note') THEN
        RAISE EXCEPTION '% on % is refused: rate card % is in force; make another',
            TG_OP, TG_TABLE_NAME, OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'rate_card_is_fixed_once_in_force';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$$;

-- The one change there is: personal text goes (SPEC §10), by the path that erases
-- (credits/erasure.py). Each column keeps its value or becomes blank, and erased_at says that
-- something went; nothing can be rewritten, and blank stays blank.
CREATE OR REPLACE FUNCTION audit_allow_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('ledger.erasure', true) = 'on'
        AND NEW.event_id = OLD.event_id
        AND NEW.erased_at IS NOT NULL AND NEW.erased_at >= COALESCE(OLD.erased_at, NEW.erased_at)
        AND NEW.actor_name IN (OLD.actor_name, '')
        AND (NEW.ip IS NULL OR NEW.ip IS NOT DISTINCT FROM OLD.ip)
        AND NEW.user_agent IN (OLD.user_agent, '')
        AND NEW.subject_label IN (OLD.subject_label, '')
        AND NEW.changes IN (OLD.changes, '[]'::jsonb)
        AND NEW.reason IN (OLD.reason, '')
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'UPDATE on % is refused: text is blanked or kept, never rewritten', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_is_only_erased';
END
$$;

CREATE TRIGGER credits_reservation_is_guarded BEFORE INSERT OR UPDATE OR DELETE ON credits_reservation
    FOR EACH ROW EXECUTE FUNCTION ledger_guard_promise();
CREATE TRIGGER credits_hold_is_guarded BEFORE INSERT OR UPDATE OR DELETE ON credits_hold
    FOR EACH ROW EXECUTE FUNCTION ledger_guard_promise();
CREATE TRIGGER credits_correction_is_guarded BEFORE INSERT OR UPDATE OR DELETE ON credits_correction
    FOR EACH ROW EXECUTE FUNCTION ledger_guard_correction();
CREATE TRIGGER idempotency_key_is_kept BEFORE UPDATE OR DELETE ON credits_idempotencyrecord
    FOR EACH ROW EXECUTE FUNCTION ledger_keep_key();
CREATE TRIGGER rate_is_fixed_once_in_force BEFORE UPDATE OR DELETE ON credits_rate
    FOR EACH ROW EXECUTE FUNCTION ledger_keep_rate();
CREATE TRIGGER rate_card_is_fixed_once_in_force BEFORE UPDATE OR DELETE ON credits_ratecard
    FOR EACH ROW EXECUTE FUNCTION ledger_keep_rate_card();

CREATE TRIGGER credits_creditpool_is_never_truncated BEFORE TRUNCATE ON credits_creditpool
    EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER credits_creditgrant_is_never_truncated BEFORE TRUNCATE ON credits_creditgrant
    EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER credits_reservation_is_never_truncated BEFORE TRUNCATE ON credits_reservation
    EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER credits_hold_is_never_truncated BEFORE TRUNCATE ON credits_hold
    EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER credits_correction_is_never_truncated BEFORE TRUNCATE ON credits_correction
    EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER idempotency_key_is_never_truncated BEFORE TRUNCATE ON credits_idempotencyrecord
    EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER rate_is_never_truncated BEFORE TRUNCATE ON credits_rate
    EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER rate_card_is_never_truncated BEFORE TRUNCATE ON credits_ratecard
    EXECUTE FUNCTION ledger_refuse_change();
