"""The ledger guards itself: entries stay as they are, and wallets follow them."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

FORWARD = """
CREATE FUNCTION credits_apply() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO credits_wallet (account_id, balance) VALUES (NEW.account_id, 0)
        ON CONFLICT DO NOTHING;
    UPDATE credits_wallet SET balance = balance + NEW.amount WHERE account_id = NEW.account_id;
    RETURN NULL;
END $$;

CREATE FUNCTION credits_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: add an entry that corrects it';
END $$;

CREATE TRIGGER apply AFTER INSERT ON credits_entry
    FOR EACH ROW EXECUTE FUNCTION credits_apply();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON credits_entry
    FOR EACH ROW EXECUTE FUNCTION credits_refuse();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON credits_entry
    FOR EACH STATEMENT EXECUTE FUNCTION credits_refuse();
CREATE TRIGGER only_by_entries BEFORE UPDATE ON credits_wallet
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION credits_refuse();
"""
BACKWARD = """
DROP TRIGGER only_by_entries ON credits_wallet;
DROP TRIGGER append_only_whole ON credits_entry;
DROP TRIGGER append_only ON credits_entry;
DROP TRIGGER apply ON credits_entry;
DROP FUNCTION credits_refuse();
DROP FUNCTION credits_apply();
"""


class Migration(migrations.Migration):
    """See above."""

    dependencies: ClassVar = [("credits", "0001_initial")]
    operations: ClassVar = [migrations.RunSQL(FORWARD, BACKWARD)]
