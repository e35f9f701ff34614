import django.db.models.deletion
from django.db import migrations, models

FILLED = """
UPDATE seats_groupmember m SET organisation_id = g.organisation_id
FROM seats_group g WHERE g.id = m.group_id
"""
# A group and an account of two organisations cannot meet in a row.
KEYS = """
ALTER TABLE seats_groupmember
    ADD CONSTRAINT group_member_of_group FOREIGN KEY (organisation_id, group_id)
        REFERENCES seats_group (organisation_id, id) ON DELETE CASCADE,
    ADD CONSTRAINT group_member_of_account FOREIGN KEY (organisation_id, membership_id)
        REFERENCES accounts_membership (organisation_id, id) ON DELETE CASCADE;
"""
NO_KEYS = """
ALTER TABLE seats_groupmember
    DROP CONSTRAINT group_member_of_group, DROP CONSTRAINT group_member_of_account;
"""


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0005_list_of_accounts"),
        ("seats", "0002_invitations_and_imports"),
    ]

    operations = [
        migrations.AddField(
            "groupmember",
            "organisation",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.organisation",
            ),
        ),
        migrations.RunSQL(FILLED, migrations.RunSQL.noop),
        # What was written waits for its deferred checks, which the next change of the table does not.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.AlterField(
            "groupmember",
            "organisation",
            models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.organisation",
            ),
        ),
        migrations.RunSQL(KEYS, NO_KEYS),
    ]
