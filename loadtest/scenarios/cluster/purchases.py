"""What must happen exactly once, across a kill."""

import concurrent.futures
import json
import time
import uuid

from servers.process import eventually

from ..load import Told, post

BUYERS, COPIES = 12, 10
ORDER = {"quantity": 1, "shippingAddress": {"city": "Leipzig"}, "paymentMethod": "card"}


def register(stage, name):
    body = {"username": name, "email": f"{name}@load.example", "password": "correct horse battery staple", "firstName": "Load", "lastName": name}
    status, answer = post(stage.clients, stage.cluster.nodes[0], "/api/user/register", body, key=str(uuid.uuid4()))
    if status != 201:
        raise RuntimeError(f"registering was answered {status}: {answer[:300]}")
    answer = json.loads(answer)
    return answer["user"]["id"], answer["token"]


def a_product(stage, seller, stock):
    body = {"name": "Ticket", "description": "One only.", "price": "12.50", "stock": stock, "category": "load"}
    status, answer = post(stage.clients, stage.cluster.nodes[0], "/api/shop/products", body, token=seller, key=str(uuid.uuid4()))
    if status != 201:
        raise RuntimeError(f"offering a product was answered {status}: {answer[:300]}")
    return json.loads(answer)["id"]


def doubled(stage):
    """Each of some buyers sends one order ten times, with one key, through all edges, while a node is killed. Exactly one effect each."""
    prefix = f"d{uuid.uuid4().hex[:9]}"
    _, seller = register(stage, f"{prefix}s")
    product = a_product(stage, seller, 1000)
    buyers = [(*register(stage, f"{prefix}{number}"), str(uuid.uuid4())) for number in range(BUYERS)]
    victim, since = stage.victim(), time.monotonic()

    def send(copy, buyer):
        _, token, key = buyer
        time.sleep(stage.chance.random() * 2)
        node = stage.cluster.nodes[copy % len(stage.cluster.nodes)]
        return buyer[0], post(stage.clients, node, "/api/shop/orders", {"productId": product, **ORDER}, token=token, key=key)

    with concurrent.futures.ThreadPoolExecutor(BUYERS * COPIES) as senders:
        sent = [senders.submit(send, copy, buyer) for copy in range(COPIES) for buyer in buyers]
        time.sleep(0.7)
        stage.mark(f"{victim.name} is killed")
        victim.kill()
        answers = [one.result() for one in sent]
    statuses = {}
    for _, (status, _) in answers:
        statuses[status] = statuses.get(status, 0) + 1
    stage.show(f"{len(answers)} requests were answered {dict(sorted(statuses.items()))} (0: not at all)")
    stage.expect_settled("the kill", since)
    told = {buyer: {json.loads(body)["id"] for who, (status, body) in answers if who == buyer and status == 201} for buyer, *_ in buyers}
    stage.expect("nobody was told of two orders", all(len(orders) <= 1 for orders in told.values()))
    # Whoever was told nothing asks once more, as clients do.
    for buyer, token, key in buyers:
        asked = lambda: post(stage.clients, stage.cluster.nodes[0], "/api/shop/orders", {"productId": product, **ORDER}, token=token, key=key)  # noqa: E731
        answered = eventually(lambda: told[buyer].update({json.loads(answer[1])["id"]} if (answer := asked())[0] == 201 else ()) or told[buyer], 15)
        if answered is None:
            stage.expect(f"{buyer} was told of an order", False)
    rows = stage.cluster.sql("shop", f"SELECT buyer_id, count(*), min(id::text) FROM product_order WHERE product_id = '{product}' GROUP BY buyer_id")
    rows = [line.split("|") for line in rows.splitlines()]
    stage.expect(f"each of {BUYERS} buyers has one order in the database", sorted(row[1] for row in rows) == ["1"] * BUYERS)
    stage.expect("it is the one that they were told of", all(told.get(buyer) == {order} for buyer, _, order in rows))
    left = stage.cluster.sql("shop", f"SELECT stock FROM product WHERE id = '{product}'")
    stage.expect(f"the stock is as it should be ({left} of 1000 left)", left == str(1000 - BUYERS))
    stage.expect_deaths(since, victim)


def flash_sale(stage):
    """A thousand buyers at all edges, ten in stock, while a node is killed; who is not answered asks again. Ten orders, and everybody's next read shows it."""
    report = stage.cluster.folder / "race.json"
    buyers = "1000" if stage.options.seconds >= 30 else "300"
    bases = [word for node in stage.cluster.nodes for word in ("--base", node.base)]
    race = Told(stage.clients, [stage.binaries / "loadtest", "race", *bases, "--buyers", buyers, "--persist", "--deadline", "40s", "--json", report])
    begins = race.wait_for("the race begins", 240)
    victim, since = stage.victim(), time.monotonic()
    if begins is not None:
        time.sleep(stage.chance.random() * 0.1)
        stage.mark(f"{victim.name} is killed")
        victim.kill()
    race.end()
    if not report.exists():
        stage.expect(f"the race ran: {race.last_words()}", False)
        return
    found = json.loads(report.read_text())
    stage.show(f"{found['buyers']} buyers were answered {found['statuses']} within {found['elapsedMs']:.0f} ms")
    stage.expect(f"exactly {found['stock']} orders, and {found['faults']} reads at odds with one", found["passed"])
    for example in found["examples"][:5]:
        stage.show(str(example))
    stage.expect_settled("the kill", since)
    stage.expect_deaths(since, victim)
