"""Load tests: people with names, who know nothing of the shop but its HTTP face."""
