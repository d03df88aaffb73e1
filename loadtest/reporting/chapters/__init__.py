"""What each section's results say, and how they are drawn: functions from results (`parts`, by name) and an empty chapter."""
