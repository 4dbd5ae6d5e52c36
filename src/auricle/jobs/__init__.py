"""Jobs and workers; webhooks, which tell the outside how jobs ended."""
