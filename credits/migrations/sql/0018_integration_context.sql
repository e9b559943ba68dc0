-- What an integration may read is decided when it is made (SPEC §8): its name may change, nothing
-- that widens what its keys open.
CREATE FUNCTION integration_refuse_widening() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.company_id, NEW.kind, NEW.context, NEW.person_id)
        IS NOT DISTINCT FROM (OLD.company_id, OLD.kind, OLD.context, OLD.person_id)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'an integration''s company, kind, context and person never change'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'integration_context_is_fixed';
END
$$;

CREATE TRIGGER credits_integration_context_is_fixed BEFORE UPDATE ON credits_integration
    FOR EACH ROW EXECUTE FUNCTION integration_refuse_widening();
