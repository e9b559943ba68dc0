-- What a limit is of is called as somebody named it: the path that erases (credits/erasure.py) takes
-- words out of it, and nothing else.

CREATE OR REPLACE FUNCTION ledger_guard_limit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('ledger.erasure', true) = 'on'
       AND to_jsonb(NEW) - 'name' = to_jsonb(OLD) - 'name' THEN
        RETURN NEW;
    END IF;
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
