"""What indexes.py is made of: rows, requests that make the platform run its statements, and what each statement costs with and without its indexes."""
