"""Parts of deploy/monitoring/check."""
