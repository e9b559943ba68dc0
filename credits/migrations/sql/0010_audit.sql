-- Audit events are never changed or removed, like the ledger's rows (I10, S15).
CREATE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: the audit trail is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_is_append_only';
END
$$;

-- The one change there is: personal text goes (SPEC §10). Each column keeps its value or becomes
-- blank, and erased_at says that something went; nothing can be rewritten, and blank stays blank.
CREATE FUNCTION audit_allow_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.event_id = OLD.event_id
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

CREATE TRIGGER credits_auditevent_is_append_only BEFORE UPDATE OR DELETE ON credits_auditevent
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER credits_auditevent_is_never_truncated BEFORE TRUNCATE ON credits_auditevent
    EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER credits_audittext_is_only_erased BEFORE UPDATE ON credits_audittext
    FOR EACH ROW EXECUTE FUNCTION audit_allow_erasure();
CREATE TRIGGER credits_audittext_is_append_only BEFORE DELETE ON credits_audittext
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER credits_audittext_is_never_truncated BEFORE TRUNCATE ON credits_audittext
    EXECUTE FUNCTION audit_refuse_change();
