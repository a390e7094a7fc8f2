"""What waits for the ledger gets a table of its own; it begins with the events that have no leaf."""

from django.db import migrations, models
import django.db.models.deletion

FILL = """
INSERT INTO archive_pendingleaf (event_id)
SELECT event.id FROM archive_custodyevent event
WHERE NOT EXISTS (SELECT FROM archive_leaf leaf WHERE leaf.event_id = event.id)
ORDER BY event.time, event.id
"""


class Migration(migrations.Migration):
    dependencies = [("archive", "0006_arrived")]

    operations = [
        migrations.CreateModel(
            "PendingLeaf",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "event",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pending",
                        to="archive.custodyevent",
                    ),
                ),
            ],
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop, elidable=True),
    ]
