"""Who may be an expert, and who must step aside."""
