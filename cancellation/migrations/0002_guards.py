from django.db import migrations

# What was shown and confirmed is never altered; what became of it is noted once; the last day moves only
# while it is to come; nothing is deleted.
FORWARD = """
ALTER TABLE cancellation_review ADD CONSTRAINT cancellation_review_replaces_its_own
    FOREIGN KEY (organisation_id, replaces_id) REFERENCES cancellation_review (organisation_id, id);
ALTER TABLE cancellation_cancellation ADD CONSTRAINT cancellation_of_its_review
    FOREIGN KEY (organisation_id, review_id) REFERENCES cancellation_review (organisation_id, id);

CREATE FUNCTION cancellation_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION cancellation_guard_review() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'open' THEN
        RAISE EXCEPTION 'cancellation review % is decided', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF (OLD.id, OLD.public_id, OLD.organisation_id, OLD.user_id, OLD.terms_id, OLD.shown, OLD.digest,
            OLD.created_at, OLD.expires_at, OLD.replaces_id, OLD.differences)
        IS DISTINCT FROM
        (NEW.id, NEW.public_id, NEW.organisation_id, NEW.user_id, NEW.terms_id, NEW.shown, NEW.digest,
            NEW.created_at, NEW.expires_at, NEW.replaces_id, NEW.differences) THEN
        RAISE EXCEPTION 'cancellation review % says what was shown', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER cancellation_review_guard BEFORE UPDATE OR DELETE ON cancellation_review
    FOR EACH ROW EXECUTE FUNCTION cancellation_guard_review();

CREATE FUNCTION cancellation_guard_new() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    shown cancellation_review;
    boxes int;
BEGIN
    SELECT * INTO shown FROM cancellation_review WHERE id = NEW.review_id;
    SELECT jsonb_array_length(t.boxes) INTO boxes FROM plans_cancellationterms t WHERE t.id = NEW.terms_id;
    IF (shown.terms_id, shown.user_id, shown.stepped_up_at, shown.state)
        IS DISTINCT FROM (NEW.terms_id, NEW.ordered_by_id, NEW.stepped_up_at, 'confirmed') THEN
        RAISE EXCEPTION 'cancellation is not that of its review %', NEW.review_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.ticked IS DISTINCT FROM
        (SELECT COALESCE(jsonb_agg(n ORDER BY n), '[]') FROM generate_series(0, boxes - 1) n) THEN
        RAISE EXCEPTION 'cancellation without every tick: %', NEW.ticked
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER cancellation_is_of_its_review BEFORE INSERT ON cancellation_cancellation
    FOR EACH ROW EXECUTE FUNCTION cancellation_guard_new();

CREATE FUNCTION cancellation_guard_ordered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.id, OLD.public_id, OLD.organisation_id, OLD.review_id, OLD.terms_id, OLD.ticked,
            OLD.ordered_at, OLD.ordered_by_id, OLD.stepped_up_at, OLD.reason, OLD.reason_text)
        IS DISTINCT FROM
        (NEW.id, NEW.public_id, NEW.organisation_id, NEW.review_id, NEW.terms_id, NEW.ticked,
            NEW.ordered_at, NEW.ordered_by_id, NEW.stepped_up_at, NEW.reason, NEW.reason_text) THEN
        RAISE EXCEPTION 'cancellation % says what was confirmed', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF (OLD.end_on, OLD.data_until_on) IS DISTINCT FROM (NEW.end_on, NEW.data_until_on)
        AND (OLD.closed_at IS NOT NULL OR OLD.withdrawn_at IS NOT NULL) THEN
        RAISE EXCEPTION 'the last day of cancellation % is decided', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.withdrawn_at IS NOT NULL
        OR (OLD.closed_at IS NOT NULL AND OLD.closed_at IS DISTINCT FROM NEW.closed_at)
        OR (OLD.settled_at IS NOT NULL AND OLD.settled_at IS DISTINCT FROM NEW.settled_at)
        OR OLD.reopened_at IS NOT NULL THEN
        RAISE EXCEPTION 'what became of cancellation % is decided', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER cancellation_says_what_was_confirmed BEFORE UPDATE ON cancellation_cancellation
    FOR EACH ROW EXECUTE FUNCTION cancellation_guard_ordered();

CREATE TRIGGER cancellation_stays BEFORE DELETE OR TRUNCATE ON cancellation_cancellation
    FOR EACH STATEMENT EXECUTE FUNCTION cancellation_refuse();
CREATE TRIGGER last_day_change_is_fixed BEFORE UPDATE OR DELETE OR TRUNCATE ON cancellation_lastdaychange
    FOR EACH STATEMENT EXECUTE FUNCTION cancellation_refuse();
"""
REVERSE = """
DROP TRIGGER last_day_change_is_fixed ON cancellation_lastdaychange;
DROP TRIGGER cancellation_stays ON cancellation_cancellation;
DROP TRIGGER cancellation_says_what_was_confirmed ON cancellation_cancellation;
DROP FUNCTION cancellation_guard_ordered();
DROP TRIGGER cancellation_is_of_its_review ON cancellation_cancellation;
DROP FUNCTION cancellation_guard_new();
DROP TRIGGER cancellation_review_guard ON cancellation_review;
DROP FUNCTION cancellation_guard_review();
DROP FUNCTION cancellation_refuse();
ALTER TABLE cancellation_cancellation DROP CONSTRAINT cancellation_of_its_review;
ALTER TABLE cancellation_review DROP CONSTRAINT cancellation_review_replaces_its_own;
"""


class Migration(migrations.Migration):
    dependencies = [("cancellation", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
