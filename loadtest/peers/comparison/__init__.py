"""What compare.py is made of: rows to fill servers with, the platform and its peers, and the comparisons."""
