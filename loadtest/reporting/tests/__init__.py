"""Tests of the report: `python3 -m unittest discover -s loadtest/reporting/tests -t loadtest`."""
