from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "0004_live")]

    operations = [
        migrations.AddIndex(
            model_name="transcript",
            index=models.Index(fields=["finished"], name="library_tra_finishe_57ffe4_idx"),
        ),
    ]
