"""The inventory desk: what is scarce (numbers, handset units, drops, holds) and who has it."""
