-- A row is added to the books by an act alone, as it is changed by an act alone (0005_guards.sql). Once
-- for each statement: an act adds all drawdowns of an entry by one.
CREATE FUNCTION ledger_guard_addition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('ledger.act', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION '% on % is refused: only an act of the ledger does that', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation',
                  CONSTRAINT = TG_TABLE_NAME || '_is_written_by_the_ledger';
    END IF;
    RETURN NULL;
END
$$;

-- Other apps keep keys of their own requests in the same table; these are the ledger's.
CREATE FUNCTION ledger_guard_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.operation IN ('ISSUE', 'CHARGE', 'RESERVE', 'CANCEL', 'VOID', 'ADJUST', 'REFUND')
       AND current_setting('ledger.act', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION '% on % is refused: only an act of the ledger does that', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation',
                  CONSTRAINT = TG_TABLE_NAME || '_is_written_by_the_ledger';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER credits_ledgerentry_is_added_in_an_act BEFORE INSERT ON credits_ledgerentry
    EXECUTE FUNCTION ledger_guard_addition();
CREATE TRIGGER credits_drawdown_is_added_in_an_act BEFORE INSERT ON credits_drawdown
    EXECUTE FUNCTION ledger_guard_addition();
CREATE TRIGGER credits_usageevent_is_added_in_an_act BEFORE INSERT ON credits_usageevent
    EXECUTE FUNCTION ledger_guard_addition();
CREATE TRIGGER idempotency_key_is_added_in_an_act BEFORE INSERT ON credits_idempotencyrecord
    FOR EACH ROW EXECUTE FUNCTION ledger_guard_key();
