"""The first plans. From here on they are the operators'."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import migrations

MB, GB, HOUR = 10**6, 10**9, 3600

PLANS = [
    {"id": "anonymous", "name": "Without an account", "daily_transcriptions": 3, "concurrent": 1},
    {"id": "free", "name": "Free", "monthly_credits": 600, "concurrent": 2, "signup": True},
    {"id": "paid", "name": "Paid", "concurrent": 5},
    {"id": "sttcn", "name": "speech-to-text.cn", "welcome_credits": 5, "concurrent": 5,
     "signup": True},
    {"id": "owner", "name": "Owner of this server", "metered": False, "concurrent": 1000},
]  # fmt: skip
LIMITS = [
    ("anonymous", "", 100 * MB, 12 * HOUR),
    ("free", "", 500 * MB, 12 * HOUR),
    ("paid", "", 2 * GB, 12 * HOUR),
    ("paid", "sttcn", 12 * GB, 12 * HOUR),
    ("sttcn", "", 2 * GB, 12 * HOUR),
    ("sttcn", "sttcn", 12 * GB, 12 * HOUR),
    ("owner", "", 12 * GB, 24 * HOUR),
]


def add(apps: Any, schema: Any) -> None:
    """Write the rows."""
    plan, limit = apps.get_model("accounts", "Plan"), apps.get_model("accounts", "PlanLimit")
    plan.objects.bulk_create(plan(**row) for row in PLANS)
    limit.objects.bulk_create(
        limit(plan_id=plan_id, dialect=dialect, max_bytes=max_bytes, max_seconds=max_seconds)
        for plan_id, dialect, max_bytes, max_seconds in LIMITS
    )


class Migration(migrations.Migration):
    """See above."""

    dependencies: ClassVar = [("accounts", "0001_initial")]
    operations: ClassVar = [migrations.RunPython(add, migrations.RunPython.noop)]
