from django.db import migrations, models
from django.db.models import F, Q

# A change that leaves role and organisation alone cannot take a root away: an update of many rows asks
# nothing. Half-filled pages let such a change stay on its page, without touching an index.
FORWARD = """
DROP TRIGGER membership_has_root ON accounts_membership;
CREATE CONSTRAINT TRIGGER membership_has_root
    AFTER INSERT OR DELETE ON accounts_membership
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION accounts_has_root();
CREATE CONSTRAINT TRIGGER membership_keeps_root
    AFTER UPDATE ON accounts_membership
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.role IS DISTINCT FROM NEW.role OR OLD.organisation_id IS DISTINCT FROM NEW.organisation_id)
    EXECUTE FUNCTION accounts_has_root();
ALTER TABLE accounts_membership SET (fillfactor = 60);
"""
REVERSE = """
ALTER TABLE accounts_membership RESET (fillfactor);
DROP TRIGGER membership_keeps_root ON accounts_membership;
DROP TRIGGER membership_has_root ON accounts_membership;
CREATE CONSTRAINT TRIGGER membership_has_root
    AFTER INSERT OR UPDATE OR DELETE ON accounts_membership
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION accounts_has_root();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_list_of_accounts")]
    operations = [
        migrations.CreateModel(
            name="Session",
            fields=[
                ("session_key", models.CharField(max_length=40, primary_key=True, serialize=False, verbose_name="session key")),
                ("session_data", models.TextField(verbose_name="session data")),
                ("expire_date", models.DateTimeField(db_index=True, verbose_name="expire date")),
                ("user_id", models.BigIntegerField(db_index=True, null=True)),
            ],
            options={"verbose_name": "session", "verbose_name_plural": "sessions", "abstract": False},
        ),
        migrations.AddField(
            model_name="organisation",
            name="accounts_ended_on",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name="organisation",
            index=models.Index(
                condition=Q(accounts_ended_on=None, closed_on__isnull=False)
                | Q(accounts_ended_on__lt=F("closed_on"))
                | Q(accounts_ended_on__gt=F("closed_on")),
                fields=["closed_on", "id"],
                name="organisation_to_end",
            ),
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
