"""The desk that knows who is buying: ID numbers, verification, one-time codes, the vault for personal data."""
