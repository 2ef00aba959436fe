"""What is lawful in an evaluation: who sits, what is rejected, how points add up and rank."""
