"""Which misconduct bars for how long, and what a bar reaches."""
