"""What is lawful in the life of a lot: its moves, its times, its grounds of refusal."""
