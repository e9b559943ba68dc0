-- A decision on a time zone is kept as it was made; the only thing that still happens to it is
-- that it comes to count or is withdrawn, once.
CREATE FUNCTION billing_keep_zone_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
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

CREATE TRIGGER zone_change_keeps_what_it_says BEFORE UPDATE OR DELETE ON billing_zonechange
    FOR EACH ROW EXECUTE FUNCTION billing_keep_zone_change();
CREATE TRIGGER zone_change_is_never_truncated BEFORE TRUNCATE ON billing_zonechange
    EXECUTE FUNCTION billing_keep_zone_change();
