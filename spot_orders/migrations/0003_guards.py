from django.db import migrations

# Written out, not imported: a migration says for ever what it did. Rule: I10, I12, I13.
MOVES = {
    "placed": ["paid", "lapsed", "cancelled", "refunded"],
    "lapsed": ["refunded"],
    "cancelled": ["refunded"],
}
# What was ordered, at which price, by whom: never anything else.
FROZEN = (
    "organisation_id", "public_id", "number", "accounts", "first_on", "months", "end_on", "currency",
    "priced", "net", "tax", "gross", "tax_code", "tax_rounding", "terms_id", "operation", "digest",
    "placed_at", "placed_by_id", "lapses_at",
)
# What a move says, and nothing but a move changes.
MOVED = ("paid_at", "closed_at", "closed_why")

ALLOWED = " OR ".join(
    f"(OLD.state = '{before}' AND NEW.state IN ({', '.join(repr(each) for each in after)}))"
    for before, after in MOVES.items()
)


def _both(columns):
    return [", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW")]


FROZEN_OLD, FROZEN_NEW = _both(FROZEN)
MOVED_OLD, MOVED_NEW = _both(MOVED)

FORWARD = f"""
CREATE TRIGGER spot_orders_spotorder_stays BEFORE DELETE OR TRUNCATE ON spot_orders_spotorder
    FOR EACH STATEMENT EXECUTE FUNCTION core_refuse_change();

CREATE FUNCTION spot_orders_spotorder_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF ({FROZEN_OLD}) IS DISTINCT FROM ({FROZEN_NEW}) THEN
        RAISE EXCEPTION 'spot order %: what was ordered never changes', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state IS NOT DISTINCT FROM NEW.state
        AND ({MOVED_OLD}) IS DISTINCT FROM ({MOVED_NEW})
    THEN
        RAISE EXCEPTION 'spot order %: when and why it became % never changes', OLD.id, OLD.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF (OLD.replaced_by_id IS NOT NULL AND OLD.replaced_by_id IS DISTINCT FROM NEW.replaced_by_id)
        OR (OLD.ended_at IS NOT NULL AND OLD.ended_at IS DISTINCT FROM NEW.ended_at)
    THEN
        RAISE EXCEPTION 'spot order %: what followed it never changes', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.cut_on IS DISTINCT FROM NEW.cut_on
        AND (OLD.ended_at IS NOT NULL OR NEW.cut_on IS NULL OR NEW.cut_on > OLD.cut_on)
    THEN
        RAISE EXCEPTION 'spot order %: a contract is cut shorter, while it runs', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER spot_orders_spotorder_frozen BEFORE UPDATE ON spot_orders_spotorder
    FOR EACH ROW EXECUTE FUNCTION spot_orders_spotorder_frozen();

CREATE FUNCTION spot_orders_spotorder_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT ({ALLOWED}) THEN
        RAISE EXCEPTION 'spot order %: % does not become %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER spot_orders_spotorder_moves BEFORE UPDATE ON spot_orders_spotorder
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
    EXECUTE FUNCTION spot_orders_spotorder_moves();

ALTER TABLE spot_orders_spotorder ADD CONSTRAINT spot_orders_replaced_within_organisation
    FOREIGN KEY (organisation_id, replaced_by_id)
    REFERENCES spot_orders_spotorder (organisation_id, id);
"""  # noqa: S608 - names of our own
REVERSE = """
ALTER TABLE spot_orders_spotorder DROP CONSTRAINT spot_orders_replaced_within_organisation;
DROP TRIGGER spot_orders_spotorder_moves ON spot_orders_spotorder;
DROP FUNCTION spot_orders_spotorder_moves();
DROP TRIGGER spot_orders_spotorder_frozen ON spot_orders_spotorder;
DROP FUNCTION spot_orders_spotorder_frozen();
DROP TRIGGER spot_orders_spotorder_stays ON spot_orders_spotorder;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0002_append_only_audit"),
        ("spot_orders", "0002_found_by_its_last_day"),
    ]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
