"""How many nodes a load needs, from what its requests cost. Pure."""

# The mix `mixed`, by what stands for its parts: a post and a list of posts cost what a profile and a list of products do, a changed profile what a new post does.
MIXED = {"feed": 0.35, "profile": 0.40, "products": 0.20, "post": 0.05}
# What an HPA scales at.
BUSY = 0.7
NODES_MAX = 10_000


def summed(costs):
    """What a request of the mix takes by its parts, in µs."""
    return sum(share * costs[kind] for kind, share in MIXED.items())


def nodes_for(requests_per_s, cost_us, cores, hop_us):
    """The least number of nodes that is busy to at most BUSY of its cores, and what each request costs there, in µs: with each further node more requests are answered by another
    one than they came to. None where there is no such number up to NODES_MAX."""
    for nodes in range(1, NODES_MAX + 1):
        each = cost_us + hop_us * (nodes - 1) / nodes
        if requests_per_s * each / 1e6 <= BUSY * cores * nodes:
            return nodes, each
    return None, None
