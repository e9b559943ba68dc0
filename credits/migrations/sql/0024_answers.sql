-- What a key did stays for ever. What was answered goes after 30 days, or when the path that erases
-- (credits/erasure.py) takes it: it may say whom it was about.

CREATE OR REPLACE FUNCTION ledger_keep_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.answer IS NULL
       AND (OLD.created_at <= ledger_clock() - interval '720 hours'
            OR current_setting('ledger.erasure', true) = 'on')
       AND to_jsonb(NEW) - 'answer' = to_jsonb(OLD) - 'answer' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% on % is refused: a key has its effect once, for ever', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'idempotency_key_is_kept';
END
$$;
