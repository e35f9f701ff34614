from django.db import migrations

# Written out, not imported: a migration says for ever what it did. Rule: I10.
CORRECTIONS = """
CREATE FUNCTION payments_correction_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.organisation_id, OLD.payable_id, OLD.kind, OLD.operation, OLD.gross, OLD.currency,
        OLD.reason, OLD.is_alone, OLD.requested_by, OLD.requested_at)
        IS DISTINCT FROM (NEW.organisation_id, NEW.payable_id, NEW.kind, NEW.operation, NEW.gross,
        NEW.currency, NEW.reason, NEW.is_alone, NEW.requested_by, NEW.requested_at)
        OR OLD.state <> 'waiting'
    THEN
        RAISE EXCEPTION 'correction %: what it is about never changes', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_correction_frozen BEFORE UPDATE ON payments_correction
    FOR EACH ROW EXECUTE FUNCTION payments_correction_frozen();
CREATE TRIGGER payments_correction_stays BEFORE DELETE OR TRUNCATE ON payments_correction
    FOR EACH STATEMENT EXECUTE FUNCTION core_refuse_change();
ALTER TABLE payments_correction ADD CONSTRAINT payments_correction_same_organisation
    FOREIGN KEY (organisation_id, payable_id) REFERENCES payments_payable (organisation_id, id);
ALTER TABLE payments_correction ADD CONSTRAINT payments_correction_credit_note_same_organisation
    FOREIGN KEY (organisation_id, credit_note_id) REFERENCES billing_invoice (organisation_id, id);
"""
NO_CORRECTIONS = """
ALTER TABLE payments_correction DROP CONSTRAINT payments_correction_credit_note_same_organisation;
ALTER TABLE payments_correction DROP CONSTRAINT payments_correction_same_organisation;
DROP TRIGGER payments_correction_stays ON payments_correction;
DROP TRIGGER payments_correction_frozen ON payments_correction;
DROP FUNCTION payments_correction_frozen();
"""


def _frozen(columns):
    old, new = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
    return f"""
CREATE OR REPLACE FUNCTION payments_refund_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF ({old}) IS DISTINCT FROM ({new}) THEN
        RAISE EXCEPTION 'refund %: what it is about never changes', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""


def _moves(moves):
    allowed = " OR ".join(
        f"(OLD.state = '{before}' AND NEW.state IN ({', '.join(repr(each) for each in after)}))"
        for before, after in moves.items()
    )
    return f"""
CREATE OR REPLACE FUNCTION payments_refund_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT ({allowed}) THEN
        RAISE EXCEPTION 'refund %: % does not become %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""


COLUMNS = (
    "organisation_id", "charge_id", "credit_note_id", "operation", "key", "amount", "currency",
    "reason", "is_by_hand", "requested_by", "created_at",
)
MOVES = {
    "prepared": ["sent", "succeeded", "rejected"],
    "sent": ["prepared", "pending", "undecided", "succeeded", "failed"],
    "pending": ["undecided", "succeeded", "failed"],
    "undecided": ["sent", "pending", "succeeded", "failed"],
}
MOVES_BEFORE = {"requested": ["prepared", "rejected"]} | MOVES

# What is made good was refused, of the same charge, and is made good once: a failed refund and
# what stands for it never come to more than it was (I09).
INSTEAD = """
CREATE FUNCTION payments_refund_instead() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    failed record;
    made bigint;
BEGIN
    SELECT charge_id, amount, state INTO failed FROM payments_refund WHERE id = NEW.instead_of_id;
    SELECT COALESCE(sum(amount), 0) INTO made FROM payments_refund
        WHERE instead_of_id = NEW.instead_of_id AND state <> 'rejected';
    IF failed.charge_id IS DISTINCT FROM NEW.charge_id OR failed.state IS DISTINCT FROM 'failed'
        OR made > failed.amount
    THEN
        RAISE EXCEPTION 'refund % cannot stand for refund %', NEW.id, NEW.instead_of_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER payments_refund_instead AFTER INSERT ON payments_refund
    FOR EACH ROW WHEN (NEW.instead_of_id IS NOT NULL)
    EXECUTE FUNCTION payments_refund_instead();
"""
NO_INSTEAD = """
DROP TRIGGER payments_refund_instead ON payments_refund;
DROP FUNCTION payments_refund_instead();
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0004_corrections")]
    operations = [
        migrations.RunSQL(CORRECTIONS, NO_CORRECTIONS),
        migrations.RunSQL(_frozen((*COLUMNS, "kind", "instead_of_id")), _frozen(COLUMNS)),
        migrations.RunSQL(_moves(MOVES), _moves(MOVES_BEFORE)),
        migrations.RunSQL(INSTEAD, NO_INSTEAD),
    ]
