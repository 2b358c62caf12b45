"""The kernel: settings, database, Redis, jobs, clock. It imports nothing of ours and knows no word of the trade."""
