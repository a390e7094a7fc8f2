"""What an earlier version saw not to be whole, and copies that a store missed under it, are looked at soon.

Of a store that was added later no copy was missed: those are made when the turn of each file comes.
"""

from django.db import migrations

_NOT_WHOLE = """
UPDATE archive_fixity SET again = now()
WHERE again IS NULL AND state NOT IN ('whole', 'deaccessioned', 'unchecked')
"""
# It lies in fewer stores than a file that was put before it, so that one of them was away.
_MISSED = """
INSERT INTO archive_fixity (blob_id, state, said, seen, again)
SELECT digest, 'unchecked', '', 0, now()
FROM (
    SELECT
        digest,
        coalesce(
            (SELECT moved.locator FROM archive_blobmove moved WHERE moved.blob_id = digest ORDER BY id DESC LIMIT 1),
            locator
        ) AS place,
        max(length(locator) - length(replace(locator, ' ', ''))) OVER (ORDER BY stored, digest) AS most
    FROM archive_blob
) AS blobs
WHERE length(place) - length(replace(place, ' ', '')) < most
ON CONFLICT (blob_id) DO UPDATE SET again = now()
WHERE archive_fixity.again IS NULL AND archive_fixity.state <> 'deaccessioned'
"""


class Migration(migrations.Migration):
    dependencies = [
        ('archive', '0015_copies_again'),
    ]

    operations = [
        migrations.RunSQL(_NOT_WHOLE, migrations.RunSQL.noop),
        migrations.RunSQL(_MISSED, migrations.RunSQL.noop),
    ]
