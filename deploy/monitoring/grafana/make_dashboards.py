#!/usr/bin/env python3
"""Writes the dashboards: grafana/dashboards/*.json, from the lists below.

    deploy/monitoring/grafana/make_dashboards.py            writes them
    deploy/monitoring/grafana/make_dashboards.py --check    exit status 1 if they are not what it would write
"""

import json
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent / "dashboards"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24
# Grafana's window for rates: at least four scrapes.
RATE = "[$__rate_interval]"


def rate(counter, by, matchers=""):
    return f"sum by ({by}) (rate({counter}{matchers}{RATE}))"


def quantile(q, histogram, by="", matchers=""):
    labels = ", ".join(filter(None, ["le", by]))
    return f"histogram_quantile({q}, sum by ({labels}) (rate({histogram}_bucket{matchers}{RATE})))"


def quantiles(histogram, by="", matchers=""):
    legend = f"{{{{{by}}}}} " if by else ""
    return [(quantile(q, histogram, by, matchers), f"{legend}{name}") for q, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))]


def stat(title, query, unit="short", bad_from=None, bad_below=None, width=4):
    """One number, red from `bad_from` on, or below `bad_below`."""
    steps = [{"color": "green", "value": None}]
    if bad_from is not None:
        steps.append({"color": "red", "value": bad_from})
    if bad_below is not None:
        steps = [{"color": "red", "value": None}, {"color": "green", "value": bad_below}]
    return {"title": title, "type": "stat", "queries": [(query, "")], "unit": unit, "steps": steps, "width": width, "height": 4}


def graph(title, queries, unit="short", about="", width=12):
    return {"title": title, "type": "timeseries", "queries": queries, "unit": unit, "about": about, "width": width, "height": 8}


def health(title, queries, about="", width=12):
    """What is 1 while it is well, over time."""
    return {"title": title, "type": "state-timeline", "queries": queries, "unit": "bool_yes_no", "about": about, "width": width, "height": 8, "steps": [{"color": "red", "value": None}, {"color": "green", "value": 1}]}


ROUTES = '{route!="other"}'

OVERVIEW = [
    stat("Nodes that serve", 'sum(node_stage{stage="serving"})', bad_below=1),
    stat("Slots without an owner", "4096 - sum(slots_owned)", bad_from=1),
    stat("Dependencies that are not well", "count(dependency_up == 0) or vector(0)", bad_from=1),
    stat("Alerts that fire", 'count(ALERTS{alertstate="firing"}) or vector(0)', bad_from=1),
    stat("Errors, last 5 minutes", "sum(service:http_requests_errors:rate5m) / sum(service:http_requests:rate5m)", "percentunit", bad_from=0.001),
    stat("p99, last 5 minutes", "max(job:http_request_duration_seconds:p99_5m)", "s", bad_from=0.25),
    graph("Requests/s", [(rate("http_requests_total", "service"), "{{service}}")], "reqps"),
    graph("Errors/s", [(rate("http_requests_errors_total", "service"), "{{service}}")], "reqps", "Answers with 5xx."),
    graph("Time to answer", quantiles("http_request_duration_seconds", matchers=ROUTES), "s", "Of the API's routes, without health and metrics."),
    graph("Slowest routes, p95", [(f"topk(10, {quantile(0.95, 'http_request_duration_seconds', 'method, route', ROUTES)})", "{{method}} {{route}}")], "s"),
    health("Service health", [('up{job="lets-connect"}', "{{instance}}")], "Whether the node answers scrapes."),
    health("Dependencies", [("min by (dependency) (dependency_up)", "{{dependency}}")], "Well on all nodes, at their last looks."),
    graph("Refused: over a limit (429)", [(rate("http_requests_limited_total", "class"), "{{class}}")], "reqps"),
    graph("Requests in work, of those that may be", [("instance:http_requests_in_flight:ratio", "{{instance}}")], "percentunit", "At 1, the next one is answered 503."),
    graph("Processors", [(rate("process_cpu_seconds_total", "instance"), "{{instance}}")], "short", "Cores in use by each process."),
    graph("Memory", [("process_memory_rss_bytes{service=\"gateway\"}", "{{instance}}")], "bytes"),
    graph("Memory in use, of the limit", [('system_memory_usage_percent{service="gateway"}', "{{instance}}")], "percent"),
    graph("Connections", [("http_connections_open", "{{instance}}")]),
    graph("Live streams", [("sum by (transport) (live_streams)", "{{transport}}")], about="Clients who are told what moves."),
    graph("Live events/s", [(rate("live_events_total", "event"), "{{event}}")]),
    graph("Spans of traces/s", [("sum(rate(traces_spans_sent_total[$__rate_interval]))", "sent"), ("sum(rate(traces_spans_lost_total[$__rate_interval]))", "lost")], about="None without traces.url."),
    graph("Keys watched for live streams", [("sum by (of) (live_watched_keys)", "for {{of}}")]),
    graph("Error budget: how fast it burns", [("max by (job) (job:slo_availability_errors:ratio_rate1h) / 0.001", "availability"), ("max by (job) (job:slo_latency_slow:ratio_rate1h) / 0.01", "latency")], "short", "Over the last hour; at 1 a month's budget lasts for a month."),
    graph("Release", [("count by (version) (build_info)", "{{version}}")], "short", "Nodes by what they run."),
]

CLUSTER = [
    stat("Members that are up", 'max(cluster_members{status="up"})', bad_below=1),
    stat("Links that are down", 'sum(cluster_links{state="down"})', bad_from=1),
    stat("Slots without an owner", "max(slots_unowned)", bad_from=1),
    stat("Slots on their way", "max(slots_moving)"),
    stat("Nodes without a lease", "count(lease_held == 0) or vector(0)", bad_from=1),
    stat("First certificate ends in", "min(cluster_certificate_expires_timestamp_seconds) - time()", "s", bad_below=7 * 86400),
    graph("Slots owned", [("slots_owned", "{{instance}}")], about="Of 4096, by node."),
    graph("Slots moved in and out/s", [(rate("slots_gained_total", "instance"), "{{instance}} in"), (rate("slots_given_up_total", "instance"), "{{instance}} out")]),
    graph("Members", [("max by (status) (cluster_members)", "{{status}}")], about="As the node that knows of most says."),
    graph("Version of the view", [("cluster_view_version", "{{instance}}")], about="It moves with each change of members or owners; nodes whose lines part do not hear of changes."),
    health("Leases", [("lease_held", "{{instance}}")], "Whether each node may answer from memory."),
    graph("Where nodes are in their lives", [("sum by (stage) (node_stage)", "{{stage}}")]),
    graph("Calls under way between nodes", [("cluster_link_calls", "{{instance}}")], about="Places taken, of 512 on each link."),
    graph("Bytes that wait for other nodes", [("cluster_link_queued_bytes", "{{instance}}")], "bytes", "4 MiB of calls on a link, then they are refused."),
    graph("Reads that the store answered in an owner's place/s", [(rate("fallback_reads_total", "strategy"), "{{strategy}}")]),
    graph("Time of the cluster's statements, p95", [(quantile(0.95, "store_query_duration_seconds", "operation", '{operation=~"renew|read_view|change|raise_epochs"}'), "{{operation}}")], "s", "A renewal that takes 1.5 s is given up; a lease lasts 3 s."),
    graph("Owner actors", [("sum by (instance) (owner_actors)", "{{instance}}")]),
    graph("Fullest mailbox, of its limit", [("instance:owner_mailbox_fullest:ratio", "{{instance}}")], "percentunit", "At 1, requests to that owner are answered 503."),
    graph("Owners started again/s", [(rate("owner_restarts_total", "strategy"), "{{strategy}}")]),
    graph("Writes decided again/s", [(rate("write_conflicts_total", "strategy"), "{{strategy}}")]),
]

CACHES = [
    stat("Hit rate", f"sum(rate(cache_hits_total{RATE})) / (sum(rate(cache_hits_total{RATE})) + sum(rate(cache_misses_total{RATE})))", "percentunit"),
    stat("Warm entities", "sum(cache_entries)"),
    stat("Bytes warm", "sum(cache_bytes)", "bytes"),
    stat("Redis in use", "min(redis_up)", "bool_yes_no", bad_below=1),
    graph("Hit rate by strategy", [("strategy:cache_hits:ratio_rate5m", "{{strategy}}")], "percentunit", "Over five minutes, of what is read at all."),
    graph("Reads by strategy/s", [(rate("cache_hits_total", "strategy"), "{{strategy}} hit"), (rate("cache_misses_total", "strategy"), "{{strategy}} miss")], "reqps"),
    graph("Loads from the store/s", [(rate("cache_loads_total", "strategy"), "{{strategy}}")], about="Below the misses where readers shared one."),
    graph("Answered from what other nodes lent/s", [(rate("cache_loan_hits_total", "strategy"), "{{strategy}}")]),
    graph("Bytes warm by node", [("cache_bytes", "{{instance}}")], "bytes"),
    graph("Warm again at the price of a version/s", [(rate("cache_warmed_total", "source"), "{{source}}")], about="Sent ahead of slots that moved, or kept in Redis."),
    graph("Reads of Redis/s", [(rate("redis_reads_total", "outcome"), "{{outcome}}")]),
    graph("Values given to Redis/s", [(rate("redis_writes_total", "outcome"), "{{outcome}}")]),
    graph("Time that Redis took", quantiles("redis_duration_seconds"), "s"),
    graph("Counts that edges share/s", [(rate("redis_counts_total", "of, outcome"), "{{of}} {{outcome}}")], about="`failed`: each edge goes by its own."),
]

MEDIA = [
    stat("Images that wait", "sum(media_jobs_waiting)", bad_from=100),
    stat("Images in work", "sum(media_jobs_running)"),
    stat("Failed, last hour", 'sum(increase(media_jobs_total{outcome="failed"}[1h]))'),
    stat("Object storage", 'min(dependency_up{dependency="object_storage"})', "bool_yes_no", bad_below=1),
    graph("Jobs/s", [(rate("media_jobs_total", "outcome"), "{{outcome}}")]),
    graph("Waiting and running", [("sum(media_jobs_waiting)", "waiting"), ("sum(media_jobs_running)", "running")]),
    graph("Wait for a worker", quantiles("media_job_wait_seconds"), "s"),
    graph("Time of the stages, p95", [(quantile(0.95, "media_stage_duration_seconds", "stage"), "{{stage}}")], "s"),
    graph("Time of object storage, p95", [(quantile(0.95, "object_storage_duration_seconds", "operation"), "{{operation}}")], "s"),
    graph("Failures of object storage/s", [(rate("object_storage_failures_total", "operation"), "{{operation}}")]),
    graph("Contents that caches in front were told to forget/s", [(rate("media_cache_purges_total", "outcome"), "{{outcome}}")]),
    graph("Media requests/s", [(rate("http_request_duration_seconds_count", "method, route", '{service="media-service"}'), "{{method}} {{route}}")], "reqps"),
    graph("Time of uploads", quantiles("http_request_duration_seconds", matchers='{route="/upload"}'), "s"),
]

STORE = [
    stat("Databases that are well", 'sum(min by (dependency) (dependency_up{dependency=~"database:.*"}))', bad_below=4),
    stat("Oldest effect that is not confirmed", "max(outbox_oldest_seconds)", "s", bad_from=30),
    stat("What others wrote: lag", "max(foreign_writes_lag_seconds)", "s", bad_from=10),
    stat("Operations that wait for a connection", "sum(store_pool_waiting)"),
    graph("Operations/s", [(rate("store_queries_total", "database"), "{{database}}")], "ops"),
    graph("Time of operations", quantiles("store_query_duration_seconds", "database"), "s", "From when a database was asked until it answered, waiting included."),
    graph("Slowest operations, p95", [(f"topk(10, {quantile(0.95, 'store_query_duration_seconds', 'database, operation')})", "{{database}} {{operation}}")], "s"),
    graph("Commits/s", [(rate("store_commits_total", "database, outcome"), "{{database}} {{outcome}}")], "ops"),
    graph("PostgreSQL: connections", [("sum by (database, state) (store_pool_connections)", "{{database}} {{state}}")]),
    graph("PostgreSQL: wait for a connection, p95", [(quantile(0.95, "store_pool_wait_seconds", "database"), "{{database}}")], "s"),
    graph("PostgreSQL: got no connection in time/s", [(rate("store_pool_timeouts_total", "database"), "{{database}}")], "ops"),
    graph("SQLite: jobs that wait", [("sum by (database, queue) (store_queue_depth)", "{{database}} {{queue}}")]),
    graph("SQLite: writes that share a commit, p95", [(quantile(0.95, "store_commit_batch_size", "database"), "{{database}}")]),
    graph("Effects that are not confirmed", [("max by (database) (outbox_rows)", "{{database}}")]),
    graph("Age of the oldest effect", [("max by (database) (outbox_oldest_seconds)", "{{database}}")], "s"),
    graph("What others wrote: heeded/s", [(rate("foreign_writes_total", "database"), "{{database}}")]),
    graph("What others wrote: lag", [("max by (database) (foreign_writes_lag_seconds)", "{{database}}")], "s"),
    graph("Errands/s", [(rate("errands_total", "task, outcome"), "{{task}} {{outcome}}")], about="What is done for people behind their answers: mail."),
    graph("Checkouts/s", [(rate("checkouts_total", "outcome"), "{{outcome}}")]),
]

DASHBOARDS = {"overview": ("Overview", OVERVIEW), "cluster": ("Cluster", CLUSTER), "caches": ("Caches", CACHES), "media": ("Media", MEDIA), "store": ("Databases", STORE)}


def panel(number, spec, x, y):
    targets = [{"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": query, "legendFormat": legend, "instant": spec["type"] == "stat", "range": spec["type"] != "stat"} for index, (query, legend) in enumerate(spec["queries"])]
    defaults = {"unit": spec["unit"], "min": 0}
    if "steps" in spec:
        defaults |= {"color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": spec["steps"]}}
    made = {"id": number, "title": spec["title"], "type": spec["type"], "datasource": SOURCE, "gridPos": {"x": x, "y": y, "w": spec["width"], "h": spec["height"]}}
    if spec.get("about"):
        made["description"] = spec["about"]
    return made | {"fieldConfig": {"defaults": defaults, "overrides": []}, "targets": targets}


def placed(specs):
    """Side by side, row after row."""
    panels, x, y, height = [], 0, 0, 0
    for number, spec in enumerate(specs, 1):
        if x + spec["width"] > WIDTH or (x and spec["height"] != height):
            x, y = 0, y + height
        height = spec["height"]
        panels.append(panel(number, spec, x, y))
        x += spec["width"]
    return panels


def dashboard(name, title, specs):
    links = [{"title": "Let's Connect", "type": "dashboards", "tags": ["lets-connect"], "asDropdown": False, "includeVars": True, "keepTime": True}]
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    annotations = {"name": "Starts", "datasource": SOURCE, "enable": True, "iconColor": "blue", "expr": "changes(process_start_time_seconds[1m]) > 0", "titleFormat": "{{instance}} was started"}
    return {
        "uid": f"lets-connect-{name}",
        "title": f"Let's Connect: {title}",
        "tags": ["lets-connect"],
        "schemaVersion": 39,
        "editable": False,
        "timezone": "utc",
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "links": links,
        "templating": {"list": [source]},
        "annotations": {"list": [annotations]},
        "panels": placed(specs),
    }


def main():
    stale = []
    for name, (title, specs) in DASHBOARDS.items():
        file, text = FOLDER / f"{name}.json", json.dumps(dashboard(name, title, specs), indent=1) + "\n"
        if sys.argv[1:] != ["--check"]:
            file.write_text(text)
        elif not file.is_file() or file.read_text() != text:
            stale.append(file.name)
    if stale:
        sys.exit(f"not what make_dashboards.py makes: {', '.join(stale)}")


if __name__ == "__main__":
    main()
