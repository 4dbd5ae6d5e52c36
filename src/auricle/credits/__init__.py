"""Credits: an append-only ledger."""
