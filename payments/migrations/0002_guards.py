from django.db import migrations

# Written out, not imported: a migration says for ever what it did. Rule: I10.
MOVES = {
    "charge": {
        "prepared": ["sent", "cancelled"],
        "sent": ["prepared", "started", "pending", "undecided", "succeeded", "declined", "cancelled"],
        "started": ["sent", "cancelled"],
        "pending": ["undecided", "succeeded", "declined", "cancelled"],
        "undecided": ["sent", "started", "pending", "succeeded", "declined", "cancelled"],
    },
    "refund": {
        "requested": ["prepared", "rejected"],
        "prepared": ["sent", "succeeded", "rejected"],
        "sent": ["prepared", "pending", "undecided", "succeeded", "failed"],
        "pending": ["undecided", "succeeded", "failed"],
        "undecided": ["sent", "pending", "succeeded", "failed"],
    },
    "paymentmethod": {
        "registering": ["under_review", "active", "rejected", "detached"],
        "under_review": ["active", "rejected", "detached"],
        "active": ["broken", "detached"],
        "broken": ["active", "detached"],
    },
}
# What a row of money says of itself never changes after it was stored.
FROZEN = {
    "charge": (
        "organisation_id", "payable_id", "method_id", "gateway", "environment", "merchant", "key",
        "number", "amount", "currency", "initiator", "created_at",
    ),
    "refund": (
        "organisation_id", "charge_id", "credit_note_id", "operation", "key", "amount", "currency",
        "reason", "is_by_hand", "requested_by", "created_at",
    ),
    "payable": (
        "organisation_id", "kind", "series", "serial", "number", "currency", "gross", "created_at",
    ),
    "paymentmethod": (
        "organisation_id", "gateway", "environment", "merchant", "key", "created_at",
    ),
}

STAYS = "".join(
    f"""
CREATE TRIGGER payments_{table}_stays BEFORE DELETE OR TRUNCATE ON payments_{table}
    FOR EACH STATEMENT EXECUTE FUNCTION core_refuse_change();
"""
    for table in FROZEN
)
GOES = "".join(f"DROP TRIGGER payments_{table}_stays ON payments_{table};\n" for table in FROZEN)

APPEND_ONLY = """
CREATE TRIGGER payments_transition_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON payments_transition FOR EACH STATEMENT EXECUTE FUNCTION core_refuse_change();
"""
CHANGEABLE = "DROP TRIGGER payments_transition_append_only ON payments_transition;"


def _frozen(table, columns):
    old, new = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
    return f"""
CREATE FUNCTION payments_{table}_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF ({old}) IS DISTINCT FROM ({new}) THEN
        RAISE EXCEPTION '{table} %: what it is about never changes', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_{table}_frozen BEFORE UPDATE ON payments_{table}
    FOR EACH ROW EXECUTE FUNCTION payments_{table}_frozen();
"""


def _moves(table, moves):
    allowed = " OR ".join(
        f"(OLD.state = '{before}' AND NEW.state IN ({', '.join(repr(each) for each in after)}))"
        for before, after in moves.items()
    )
    return f"""
CREATE FUNCTION payments_{table}_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT ({allowed}) THEN
        RAISE EXCEPTION '{table} %: % does not become %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_{table}_moves BEFORE UPDATE ON payments_{table}
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
    EXECUTE FUNCTION payments_{table}_moves();
"""


def _gone(name, table):
    return f"""
DROP TRIGGER payments_{table}_{name} ON payments_{table};
DROP FUNCTION payments_{table}_{name}();
"""


# A row cannot point across organisations (R13).
KEYS = {
    "payable": ("invoice_id", "billing_invoice"),
    "charge": ("payable_id", "payments_payable"),
    "refund": ("charge_id", "payments_charge"),
}
SAME_ORGANISATION = "".join(
    f"""
ALTER TABLE payments_{table} ADD CONSTRAINT payments_{table}_same_organisation
    FOREIGN KEY (organisation_id, {column}) REFERENCES {target} (organisation_id, id);
"""
    for table, (column, target) in KEYS.items()
) + """
ALTER TABLE payments_charge ADD CONSTRAINT payments_charge_method_same_organisation
    FOREIGN KEY (organisation_id, method_id) REFERENCES payments_paymentmethod (organisation_id, id);
ALTER TABLE payments_refund ADD CONSTRAINT payments_refund_credit_note_same_organisation
    FOREIGN KEY (organisation_id, credit_note_id) REFERENCES billing_invoice (organisation_id, id);
ALTER TABLE payments_journey ADD CONSTRAINT payments_journey_charge_same_organisation
    FOREIGN KEY (organisation_id, charge_id) REFERENCES payments_charge (organisation_id, id);
ALTER TABLE payments_journey ADD CONSTRAINT payments_journey_method_same_organisation
    FOREIGN KEY (organisation_id, method_id) REFERENCES payments_paymentmethod (organisation_id, id);
"""
ANY_ORGANISATION = "".join(
    f"ALTER TABLE payments_{table} DROP CONSTRAINT payments_{table}_same_organisation;\n"
    for table in KEYS
) + """
ALTER TABLE payments_charge DROP CONSTRAINT payments_charge_method_same_organisation;
ALTER TABLE payments_refund DROP CONSTRAINT payments_refund_credit_note_same_organisation;
ALTER TABLE payments_journey DROP CONSTRAINT payments_journey_charge_same_organisation;
ALTER TABLE payments_journey DROP CONSTRAINT payments_journey_method_same_organisation;
"""

# Never more given back than was captured, whatever asks for it, and only of captured money (I09).
REFUNDS = """
CREATE FUNCTION payments_refund_within_charge() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    charged record;
    given bigint;
BEGIN
    SELECT amount, currency, state INTO charged FROM payments_charge WHERE id = NEW.charge_id
        FOR NO KEY UPDATE;
    SELECT COALESCE(sum(amount), 0) INTO given FROM payments_refund
        WHERE charge_id = NEW.charge_id AND state NOT IN ('failed', 'rejected');
    IF charged.state IS DISTINCT FROM 'succeeded' OR charged.currency IS DISTINCT FROM NEW.currency
        OR given > charged.amount
    THEN
        RAISE EXCEPTION 'refunds of charge % come to %, captured were %',
            NEW.charge_id, given, charged.amount USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER payments_refund_within_charge AFTER INSERT ON payments_refund
    FOR EACH ROW EXECUTE FUNCTION payments_refund_within_charge();
"""
ANY_REFUND = """
DROP TRIGGER payments_refund_within_charge ON payments_refund;
DROP FUNCTION payments_refund_within_charge();
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial"), ("core", "0002_append_only_audit")]
    operations = [
        migrations.RunSQL(STAYS, GOES),
        migrations.RunSQL(APPEND_ONLY, CHANGEABLE),
        migrations.RunSQL(
            "".join(_frozen(table, columns) for table, columns in FROZEN.items()),
            "".join(_gone("frozen", table) for table in FROZEN),
        ),
        migrations.RunSQL(
            "".join(_moves(table, moves) for table, moves in MOVES.items()),
            "".join(_gone("moves", table) for table in MOVES),
        ),
        migrations.RunSQL(SAME_ORGANISATION, ANY_ORGANISATION),
        migrations.RunSQL(REFUNDS, ANY_REFUND),
    ]
