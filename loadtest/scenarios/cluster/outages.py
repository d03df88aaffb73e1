"""PostgreSQL away or changed behind the cluster's back, and clocks that jump."""

import json
import pathlib
import signal
import subprocess
import time

from servers.process import eventually
from servers.place import ask

AWAY_S, AWAY_SHORT_S = 20, 6
HOUR_S = 3600
CHANGES = 30
SKEW = pathlib.Path(__file__).with_name("skew.c")


def get(stage, node, path, **headers):
    """Through a node, from where the clients are."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(stage.clients, node.place.host, node.port, path, headers=named)


def a_product(stage):
    return json.loads(get(stage, stage.cluster.nodes[0], "/api/shop/public/products?limit=1")[2])["items"][0]["id"]


def owners(stage):
    return stage.cluster.members()["slots"]["by_owner"]


def postgres(stage):
    """PostgreSQL is away. Nobody dies and nothing moves; public reads are labelled stale after 3 s, all else is refused; 3 s after it accepts, all is well."""
    away = AWAY_S if stage.options.seconds >= 30 else AWAY_SHORT_S
    nodes, began = stage.cluster.nodes, time.monotonic()
    with stage.under_load(away + 12) as load:
        path = f"/api/shop/public/products/{a_product(stage)}"
        for node in nodes:
            get(stage, node, path)
        before = owners(stage)
        stage.mark("PostgreSQL is stopped")
        stage.cluster.postgres.stop(signal.SIGINT)
        since = time.monotonic()
        # A commit that was under way is waited for, and so is a lease; then the label is due at every edge at the same time.
        due = since + 5 * stage.slack
        for node in nodes:
            labelled = eventually(lambda: "cache-status" in get(stage, node, path)[1], max(0.5, due - time.monotonic()))
            status = get(stage, node, path)[0]
            stage.expect(f"{node.name} labels public reads ({status}) {time.monotonic() - since:.1f} s after it went (limit 5 s)", labelled is not None)
            status, headers, _ = get(stage, node, path, cache_control="no-cache")
            stage.expect(f"{node.name} refuses who insists on the truth ({status}, {headers.get('retry-after')})", status == 503 and "retry-after" in headers)
            status, _, body = get(stage, node, "/health/ready")
            stage.expect(f"{node.name} is ready ({status}, {json.loads(body).get('status')})", status == 200)
        time.sleep(max(0, away - (time.monotonic() - since)))
        stage.cluster.postgres.start()
        accepts = time.monotonic()
        stage.mark("PostgreSQL accepts")
        for node in nodes:
            took = eventually(lambda: get(stage, node, f"/api/shop/public/products?search=never{time.time_ns()}")[0] == 200, 20)
            took = took and time.monotonic() - accepts
            stage.expect_within(f"{node.name} answers {{}} after it accepts", took, 3)
        stage.expect("nothing moved", eventually(lambda: owners(stage) == before, 5) is not None)
    stage.judge(load, waits=(None, None), errors=None)
    stage.expect_deaths(began)


def foreign(stage):
    """Rows are changed by psql under load. Each change shows at every edge within a second."""
    slowest = 0.0
    with stage.under_load(max(16, stage.options.seconds)) as load:
        product = a_product(stage)
        path = f"/api/shop/public/products/{product}"
        for number in range(CHANGES):
            statement = f"UPDATE product SET price_cents = {700_000 + stage.seed % 100 * 100 + number} WHERE id = '{product}'"
            stage.cluster.sql("shop", statement)
            began, wanted = time.monotonic(), f"{7000 + stage.seed % 100}.{number:02d}"
            for node in stage.cluster.nodes:
                eventually(lambda: json.loads(get(stage, node, path)[2])["price"] == wanted, 10, pause_s=0.005)
            slowest = max(slowest, time.monotonic() - began)
    stage.expect_within(f"the slowest of {CHANGES} changes showed at every edge after {{}}", slowest, 1)
    stage.judge(load)


def clock(stage):
    """The wall clock of a node jumps an hour ahead and an hour back. Nobody notices."""
    victim = stage.victim()
    jump, library = stage.cluster.folder / "jump", stage.cluster.folder / "skew.so"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, SKEW], check=True)
    # Eight bytes that the node has mapped: seconds to add.
    jump.write_bytes(bytes(8))
    victim.env = {"LD_PRELOAD": str(library), "SKEW_FILE": str(jump)}
    victim.terminate(restart_after_s=0)
    eventually(lambda: victim.inside() is None, 20)
    stage.expect("it joined with a clock that can be set", stage.cluster.wait_settled(60) is not None)
    began = time.monotonic()
    try:
        with stage.under_load(max(20, stage.options.seconds)) as load:
            before = owners(stage)
            for seconds in (HOUR_S, -HOUR_S, 0):
                stage.mark(f"{victim.name}'s clock is {seconds} s ahead" if seconds else f"{victim.name}'s clock is right")
                with open(jump, "r+b") as file:
                    file.write(seconds.to_bytes(8, "little", signed=True))
                says = json.loads(get(stage, victim, "/health/ready")[2])["timestamp"]
                stage.show(f"{victim.name} says that it is {says}, and it is {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}")
                time.sleep(5)
            stage.expect("nothing moved", owners(stage) == before)
        stage.judge(load)
        stage.expect_deaths(began)
    finally:
        jump.write_bytes(bytes(8))
        victim.env = {}
