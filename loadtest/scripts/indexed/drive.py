"""Asks the platform for everything once, so that it runs its statements: every GET of the API's description, and the common writes."""

import json
import time
import urllib.parse
from dataclasses import dataclass

# What stands for a query parameter, by its name; each value is asked for by itself. Parameters that are not here are left out, but for enumerations.
PARAMETERS = {
    "q": ["ada77 about77", "word77", "person4242", "term77 often7"],
    "skill": ["skill0of77"],
    "location": ["place77"],
    "search": ["product77", "product77 stuff7", "thing"],
    "category": ["category77"],
    "minPrice": ["50.00"],
    "sort": ["newest", "price_asc", "price_desc", "rating"],
    "page": ["2"],
}


@dataclass(frozen=True)
class Row:
    """One row of each kind, which stand for all: of a person, what they made, and what others did with it."""
    person: str
    other: str
    post: str
    comment: str
    product: str
    order: str
    skill: str

    def of(self, name, path):
        """What stands for a parameter of a path; ids are of what the path is about."""
        named = {"userId": self.person, "sellerId": self.person, "tag": "tag77", "parent": self.comment, "actor": self.other, "target": self.person}
        abouts = {"posts": self.post, "buyer": self.person, "seller": self.person, "orders": self.order, "products": self.product,
                  "cases": self.post, "skills": self.skill}
        about = path.split("/{id}")[0].rsplit("/", 1)[-1]
        return named.get(name) or (abouts.get(about) if name == "id" else None)


@dataclass(frozen=True)
class Asked:
    """A route, and when it was under way, in milliseconds of the clock on the wall."""
    route: str
    began: int
    ended: int


class Driver:
    def __init__(self, connection, token, row):
        self.connection, self.token, self.row = connection, token, row
        self.asked, self.refused = [], []

    def ask(self, route, method, path, body=None):
        began = time.time_ns() // 1_000_000
        self.connection.send(method, path, body, self.token)
        status, answer = self.connection.receive()
        # Statements of one request are told from those of the next by the clock, which counts milliseconds.
        time.sleep(0.005)
        self.asked.append(Asked(f"{method} {route}", began, time.time_ns() // 1_000_000 - 1))
        if status >= 300:
            self.refused.append(f"{method} {path}: {status}")
        return answer

    def read(self, route, described):
        """Without parameters, and its second page; then with each parameter."""
        path = route
        for parameter in described.get("parameters", []):
            if parameter["in"] == "path":
                value = self.row.of(parameter["name"], route)
                if value is None:
                    self.refused.append(f"GET {route}: nothing stands for {parameter['name']}")
                    return
                path = path.replace(f"{{{parameter['name']}}}", value)
        queries = {parameter["name"]: self.values(parameter, route) for parameter in described.get("parameters", []) if parameter["in"] == "query"}
        plain = {"q": PARAMETERS["q"][0]} if route.endswith("/posts/search") else {}
        self.pages(route, path, plain)
        for name, values in queries.items():
            for value in values:
                self.pages(route, path, {**plain, name: value})

    def values(self, parameter, route):
        own = self.row.of(parameter["name"], route)
        return PARAMETERS.get(parameter["name"]) or parameter["schema"].get("enum") or ([own] if own else [])

    def pages(self, route, path, query):
        answer = self.ask(route, "GET", f"{path}?{urllib.parse.urlencode(query)}" if query else path)
        cursor = answer.startswith(b"{") and json.loads(answer).get("nextCursor")
        if cursor and "page" not in query:
            self.ask(route, "GET", f"{path}?{urllib.parse.urlencode({**query, 'cursor': cursor})}")

    def write(self):
        row = self.row
        for method, path, body in (
            ("PUT", f"/api/user/profile/{row.person}", {"bio": "A new one."}),
            ("PUT", f"/api/user/users/{row.other}/follow", None),
            ("POST", f"/api/user/users/{row.person}/skills", {"name": "Weaving", "level": "expert"}),
            ("POST", f"/api/user/skills/{row.skill}/endorse", None),
            ("PUT", f"/api/user/users/{row.other}/block", None),
            ("DELETE", f"/api/user/users/{row.other}/block", None),
            ("POST", "/api/user/moderation/flags", {"targetType": "post", "targetId": row.post, "reason": "spam"}),
            ("POST", "/api/content/posts", {"content": "A post about #tag77."}),
            ("POST", f"/api/content/posts/{row.post}/comments", {"content": "A comment."}),
            ("PUT", f"/api/content/posts/{row.post}/reaction", {"type": "love"}),
            ("POST", f"/api/content/posts/{row.post}/share", {"content": "Shared."}),
            ("POST", "/api/content/bookmarks", {"postId": row.post}),
            ("POST", "/api/shop/products", {"name": "A new product", "price": "1.00", "stock": 5}),
            ("POST", "/api/shop/orders", {"productId": row.product, "quantity": 1}),
            ("DELETE", "/api/shop/cart", None),
            ("POST", "/api/shop/cart", {"productId": row.product, "quantity": 1}),
            ("POST", "/api/shop/cart/checkout", {"paymentMethod": "card"}),
            ("POST", f"/api/shop/products/{row.product}/reviews", {"rating": 5}),
            ("POST", "/api/shop/wishlist", {"productId": row.product}),
        ):
            route = path
            for name in ("post", "product", "skill", "person", "other"):
                route = route.replace(getattr(row, name), f"{{{name}}}")
            self.ask(route, method, path, body)
