"""What every layer may use: settings, errors, ids, logging."""
