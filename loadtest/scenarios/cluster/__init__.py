"""What happens to a cluster of nodes on a bad day (loadtest/cluster-faults), one module for each kind of day."""
