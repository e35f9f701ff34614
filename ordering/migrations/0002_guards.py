from django.db import migrations

# What was shown is never altered, an order that was saved stays, and a review is decided once.
REFUSE = """
ALTER TABLE ordering_review ADD CONSTRAINT review_replaces_its_own
    FOREIGN KEY (organisation_id, replaces_id) REFERENCES ordering_review (organisation_id, id);

CREATE FUNCTION ordering_review_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'open' THEN
        RAISE EXCEPTION 'review % is decided', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF (OLD.id, OLD.public_id, OLD.organisation_id, OLD.user_id, OLD.act, OLD.shown, OLD.digest,
            OLD.created_at, OLD.expires_at, OLD.replaces_id, OLD.differences)
        IS DISTINCT FROM
        (NEW.id, NEW.public_id, NEW.organisation_id, NEW.user_id, NEW.act, NEW.shown, NEW.digest,
            NEW.created_at, NEW.expires_at, NEW.replaces_id, NEW.differences) THEN
        RAISE EXCEPTION 'review % says what was shown', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER ordering_review_guard BEFORE UPDATE OR DELETE ON ordering_review
    FOR EACH ROW EXECUTE FUNCTION ordering_review_guard();
"""
ALLOW = """
DROP TRIGGER ordering_review_guard ON ordering_review;
DROP FUNCTION ordering_review_guard();
ALTER TABLE ordering_review DROP CONSTRAINT review_replaces_its_own;
"""


class Migration(migrations.Migration):
    dependencies = [("ordering", "0001_initial")]
    operations = [migrations.RunSQL(REFUSE, ALLOW)]
