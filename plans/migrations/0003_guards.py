from django.db import migrations

# A selection's insert locks its version's key (FOR KEY SHARE). The guards lock the same row FOR
# UPDATE before they look for selections, so that a price and a first selection cannot pass each
# other.
FORWARD = """
CREATE FUNCTION plans_version_in_use(version bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM plans_planversion WHERE id = version FOR UPDATE;
    RETURN EXISTS (SELECT 1 FROM plans_selection WHERE plan_version_id = version);
END $$;

CREATE FUNCTION plans_guard_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (TG_OP = 'DELETE'
        OR (NEW.id, NEW.plan_id, NEW.number, NEW.on_sale_from, NEW.accounts_per_step)
           IS DISTINCT FROM
           (OLD.id, OLD.plan_id, OLD.number, OLD.on_sale_from, OLD.accounts_per_step))
       AND plans_version_in_use(OLD.id) THEN
        RAISE EXCEPTION 'plan version % is in use: % refused', OLD.id, TG_OP
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'plan_version_in_use';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER plan_version_in_use BEFORE UPDATE OR DELETE ON plans_planversion
    FOR EACH ROW EXECUTE FUNCTION plans_guard_version();

CREATE FUNCTION plans_guard_price() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (TG_OP <> 'INSERT' AND plans_version_in_use(OLD.version_id))
       OR (TG_OP <> 'DELETE' AND plans_version_in_use(NEW.version_id)) THEN
        RAISE EXCEPTION 'a price of a plan version in use: % refused', TG_OP
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'plan_version_in_use';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER plan_price_in_use BEFORE INSERT OR UPDATE OR DELETE ON plans_planprice
    FOR EACH ROW EXECUTE FUNCTION plans_guard_price();
CREATE TRIGGER meter_price_in_use BEFORE INSERT OR UPDATE OR DELETE ON plans_meterprice
    FOR EACH ROW EXECUTE FUNCTION plans_guard_price();

CREATE FUNCTION plans_guard_plan() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.code, NEW.category, NEW.is_free, NEW.tax_category)
       IS DISTINCT FROM (OLD.id, OLD.code, OLD.category, OLD.is_free, OLD.tax_category)
       AND EXISTS (SELECT 1 FROM plans_planversion
                   WHERE plan_id = OLD.id AND plans_version_in_use(id)) THEN
        RAISE EXCEPTION 'plan % is in use: only its names and its place may change', OLD.code
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'plan_in_use';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER plan_in_use BEFORE UPDATE ON plans_plan
    FOR EACH ROW EXECUTE FUNCTION plans_guard_plan();

CREATE FUNCTION plans_guard_meter() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.code, NEW.aggregation) IS DISTINCT FROM (OLD.id, OLD.code, OLD.aggregation) THEN
        RAISE EXCEPTION 'meter %: code and aggregation never change', OLD.code
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'meter_is_fixed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER meter_is_fixed BEFORE UPDATE ON plans_meter
    FOR EACH ROW EXECUTE FUNCTION plans_guard_meter();

CREATE FUNCTION plans_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER vendor_version_is_fixed BEFORE UPDATE OR DELETE OR TRUNCATE ON plans_vendorversion
    FOR EACH STATEMENT EXECUTE FUNCTION plans_refuse();
CREATE TRIGGER terms_of_use_are_fixed BEFORE UPDATE OR DELETE OR TRUNCATE ON plans_termsofuse
    FOR EACH STATEMENT EXECUTE FUNCTION plans_refuse();
CREATE TRIGGER plan_price_stays BEFORE TRUNCATE ON plans_planprice
    FOR EACH STATEMENT EXECUTE FUNCTION plans_refuse();
CREATE TRIGGER meter_price_stays BEFORE TRUNCATE ON plans_meterprice
    FOR EACH STATEMENT EXECUTE FUNCTION plans_refuse();
"""
REVERSE = """
DROP TRIGGER meter_price_stays ON plans_meterprice;
DROP TRIGGER plan_price_stays ON plans_planprice;
DROP TRIGGER terms_of_use_are_fixed ON plans_termsofuse;
DROP TRIGGER vendor_version_is_fixed ON plans_vendorversion;
DROP FUNCTION plans_refuse();
DROP TRIGGER meter_is_fixed ON plans_meter;
DROP FUNCTION plans_guard_meter();
DROP TRIGGER plan_in_use ON plans_plan;
DROP FUNCTION plans_guard_plan();
DROP TRIGGER meter_price_in_use ON plans_meterprice;
DROP TRIGGER plan_price_in_use ON plans_planprice;
DROP FUNCTION plans_guard_price();
DROP TRIGGER plan_version_in_use ON plans_planversion;
DROP FUNCTION plans_guard_version();
DROP FUNCTION plans_version_in_use(bigint);
"""


class Migration(migrations.Migration):
    dependencies = [("plans", "0002_meter_consumed_unit")]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
