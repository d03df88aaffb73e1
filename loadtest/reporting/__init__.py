"""The report: what is run, what figures that gives, what is promised of them, and how all of it becomes one page."""
