from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('archive', '0009_unit_trees'),
    ]

    operations = [
        migrations.AddField(
            model_name='submission',
            name='metadata',
            field=models.TextField(blank=True, default=''),
            preserve_default=False,
        ),
    ]
