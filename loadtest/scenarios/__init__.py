"""What happens on a bad day: to one platform (alone), or to a cluster of nodes (cluster), and what both share: the load, and the record of what came of it."""
