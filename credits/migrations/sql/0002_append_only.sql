-- Entries, drawdowns and usage events are never changed or removed (I10). The statement trigger
-- stops TRUNCATE, the row trigger UPDATE, DELETE and ON CONFLICT DO UPDATE.
CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: the ledger is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_is_append_only';
END
$$;

CREATE TRIGGER credits_ledgerentry_is_append_only BEFORE UPDATE OR DELETE ON credits_ledgerentry
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER credits_ledgerentry_is_never_truncated BEFORE TRUNCATE ON credits_ledgerentry
    EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER credits_drawdown_is_append_only BEFORE UPDATE OR DELETE ON credits_drawdown
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER credits_drawdown_is_never_truncated BEFORE TRUNCATE ON credits_drawdown
    EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER credits_usageevent_is_append_only BEFORE UPDATE OR DELETE ON credits_usageevent
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER credits_usageevent_is_never_truncated BEFORE TRUNCATE ON credits_usageevent
    EXECUTE FUNCTION ledger_refuse_change();

-- Each entry continues the one before it: same company, next number, before = the previous after,
-- (I4). The first has no previous one and starts from 0.
ALTER TABLE credits_ledgerentry ADD CONSTRAINT entry_continues_the_previous_one
    FOREIGN KEY (company_id, prev_sequence, balance_before)
    REFERENCES credits_ledgerentry (company_id, sequence, balance_after);
ALTER TABLE credits_ledgerentry ADD CONSTRAINT entry_corrects_one_of_its_company
    FOREIGN KEY (company_id, corrects_sequence)
    REFERENCES credits_ledgerentry (company_id, sequence);

-- Rows that every charge updates keep room for heap-only updates.
ALTER TABLE credits_creditpool SET (fillfactor = 50);
ALTER TABLE credits_creditgrant SET (fillfactor = 70);
