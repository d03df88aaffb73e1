"""What compare.py is made of: servers of our own, rows to fill them with, and the comparisons."""
