from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "0003_voices")]

    operations = [
        migrations.AddField(
            model_name="transcript",
            name="live",
            field=models.BooleanField(
                db_default=False, default=False, help_text="Heard as it was said."
            ),
        ),
    ]
