"""The stores of overlays/stores: whether they are what production asks for."""

# Of four databases, and of the cluster's own (docs/capacity.md); and what is left for the operator, copies and people.
DATABASES, OF_CLUSTER, OF_OTHERS = 4, 2, 20


def of_postgres(cluster, migration, one):
    """There is room for all nodes' connections, and the roles are there, with the rights that each needs and no others."""
    settings = one.settings["postgres"]
    each = DATABASES * (settings["connections_max"] + settings["shared_connections"]) + OF_CLUSTER
    needed, given = each * one.autoscaler["maxReplicas"] + OF_OTHERS, int(cluster["postgresql"]["parameters"]["max_connections"])
    if given < needed:
        yield f"nodes and others may take {needed} connections, and there are {given}"
    roles = {role["name"]: role for role in cluster["managed"]["roles"]}
    (job,) = migration.of("Job")
    args = job["spec"]["template"]["spec"]["containers"][0]["args"]
    granted = args[args.index("--grant") + 1]
    if granted not in roles or roles[granted].get("createdb") or roles[granted].get("inRoles"):
        yield f"nodes sign in as {granted}, and the role is not there, or has more than rows"
    if not roles.get(cluster["bootstrap"]["initdb"]["owner"], {}).get("createdb"):
        yield "who owns the databases cannot make them"
    if roles.get("backup", {}).get("inRoles") != ["pg_read_all_data"]:
        yield "who copies the databases cannot read them, or can do more"
    synchronous = cluster["postgresql"].get("synchronous", {})
    if synchronous.get("dataDurability") != "required" or synchronous.get("number", 0) < 1 or cluster["instances"] < 3:
        yield "what was acknowledged may be on one server alone"


def of_copies(stores, cluster):
    """The log goes where copies are, and copies are made of this cluster."""
    names = {one["metadata"]["name"] for one in stores.of("ObjectStore")}
    archives = {plugin["parameters"]["barmanObjectName"] for plugin in cluster["spec"]["plugins"] if plugin.get("isWALArchiver")}
    if not archives or not archives <= names:
        yield f"the log goes to {archives or 'nowhere'}, and there are {names or 'no stores'}"
    if [one["spec"]["cluster"]["name"] for one in stores.of("ScheduledBackup")] != [cluster["metadata"]["name"]]:
        yield "nothing copies it each night"


def secrets(stores, cluster):
    """Whatever names a secret names one that is made."""
    named = {cluster["spec"]["bootstrap"]["initdb"]["secret"]["name"]} | {role["passwordSecret"]["name"] for role in cluster["spec"]["managed"]["roles"]}
    for store in stores.of("ObjectStore"):
        named |= {one["name"] for one in store["spec"]["configuration"]["s3Credentials"].values()}
    for name in sorted(named - {one["metadata"]["name"] for one in stores.of("ExternalSecret")}):
        yield f"nothing makes the secret {name}"


def faults(stores, production, migration, one):
    """Everything that is wrong with the stores of a rendering, for the platform of others and a node of it."""
    (cluster,) = stores.of("Cluster")
    yield from of_postgres(cluster["spec"], migration, one)
    yield from of_copies(stores, cluster)
    yield from secrets(stores, cluster)
    if {each["metadata"]["namespace"] for each in stores.objects} != {each["metadata"]["namespace"] for each in production.of("StatefulSet")}:
        yield "they are in another namespace, whose policies nobody knows here"
    (redis,) = stores.of("Deployment", "redis")
    arguments = redis["spec"]["template"]["spec"]["containers"][0]["args"]
    if "/etc/redis/redis.conf" != arguments[0]:
        yield "Redis asks for no password"
