"""Accounts, their plans, members and keys."""
