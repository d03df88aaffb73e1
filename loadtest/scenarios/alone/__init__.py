"""What happens to one platform on a bad day (loadtest/faults), one module for each kind of day."""
