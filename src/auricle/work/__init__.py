"""The worker: the process that owns the engines and answers calls over the link."""
