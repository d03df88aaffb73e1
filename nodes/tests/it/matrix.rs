//! The authorisation matrix: every route of the table, asked by a stranger, another person, whose it is, a moderator and an admin. What each may do
//! stands in the route's row ([`Access`]); what is sent is made from the API's own description. A new route is tested from the day it is declared.

use crate::{
    http::{Answer, Client, Person, Request, get, post, put, text},
    media,
    rank::promoted,
    server::Server,
};
use edge::route::{Access, Input, Route, Segment, table};
use protocol::Role;
use serde_json::{Map, Value, json};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asker {
    Anonymous,
    Other,
    Owner,
    Moderator,
    Admin,
}

const ASKERS: [Asker; 5] = [Asker::Anonymous, Asker::Other, Asker::Owner, Asker::Moderator, Asker::Admin];

/// Whether a route's policy lets somebody do what it does.
fn may(access: Access, asker: Asker) -> bool {
    match access {
        Access::Anyone | Access::Viewer => true,
        Access::Person => asker != Asker::Anonymous,
        Access::Subject | Access::Owner => asker == Asker::Owner,
        Access::NotOwner => !matches!(asker, Asker::Anonymous | Asker::Owner),
        Access::OwnerOrModerator => matches!(asker, Asker::Owner | Asker::Moderator | Asker::Admin),
        Access::Moderator => matches!(asker, Asker::Moderator | Asker::Admin),
        Access::Admin => asker == Asker::Admin,
    }
}

/// A server, people of every rank, and somebody who sells and writes what others order and keep.
struct Stage {
    _server: Server,
    client: Client,
    moderator: Person,
    admin: Person,
    third: Person,
    document: Value,
    made: usize,
}

impl Stage {
    fn new() -> Self {
        let server = Server::start();
        let mut client = server.gateway();
        let [moderator, admin, third] = ["meg", "amy", "tom"].map(|name| client.register(name));
        let server = promoted(server, &[(&moderator, Role::Moderator), (&admin, Role::Admin)], &[]);
        let mut client = server.gateway();
        let document = client.call(&get("/openapi.json")).ok(200);
        Self { client, _server: server, moderator, admin, third, document, made: 0 }
    }

    fn number(&mut self) -> usize {
        self.made += 1;
        self.made
    }

    /// Somebody new.
    fn person(&mut self) -> Person {
        let name = format!("person-{}", self.number());
        self.client.register(&name)
    }

    /// Makes something, and gives its id.
    #[track_caller]
    fn make(&mut self, path: &str, body: Value, by: &Person) -> String {
        let answer = self.client.call(&post(path, body).by(by));
        assert!(matches!(answer.status, 200 | 201), "POST {path}: {answer}");
        text(&answer.json()["id"])
    }

    fn post_of(&mut self, author: &Person) -> String {
        self.make("/api/content/posts", json!({ "content": "hello" }), author)
    }

    fn product_of(&mut self, seller: &Person) -> String {
        self.make("/api/shop/products", json!({ "name": "lamp", "price": "1.00", "stock": 10 }), seller)
    }

    fn file_of(&mut self, owner: &Person) -> Value {
        self.client.call(&media::note().by(owner)).ok(201)
    }

    /// Something of `owner`'s that fits an id behind `word` in a path.
    fn target(&mut self, word: &str, owner: &Person) -> String {
        let third = self.third.clone();
        match word {
            "profile" | "users" | "feed" | "seller" | "buyer" => owner.id.clone(),
            "posts" => self.post_of(owner),
            "comments" => {
                let on = self.post_of(&third);
                self.make(&format!("/api/content/posts/{on}/comments"), json!({ "content": "indeed" }), owner)
            }
            "sessions" => {
                let sessions = self.client.call(&get("/api/user/sessions").by(owner)).ok(200);
                text(&sessions["items"][0]["id"])
            }
            "skills" => {
                let name = format!("skill {}", self.number());
                self.make(&format!("/api/user/users/{}/skills", owner.id), json!({ "name": name }), owner)
            }
            "products" => self.product_of(owner),
            // Hidden: then its author may appeal.
            "cases" => {
                let (flagged, moderator) = (self.post_of(owner), self.moderator.clone());
                let flag = json!({ "targetType": "post", "targetId": flagged, "reason": "spam" });
                self.make("/api/user/moderation/flags", flag, &third);
                self.make(&format!("/api/user/moderation/cases/{flagged}/decision"), json!({ "action": "hide" }), &moderator)
            }
            "bookmarks" => {
                let kept = self.post_of(&third);
                self.make("/api/content/bookmarks", json!({ "postId": kept }), owner)
            }
            "cart" => {
                let product = self.product_of(&third);
                self.make("/api/shop/cart", json!({ "productId": product }), owner)
            }
            "wishlist" => {
                let product = self.product_of(&third);
                let wish = self.client.call(&post("/api/shop/wishlist", json!({ "productId": product })).by(owner));
                assert!(matches!(wish.status, 200 | 201), "{wish}");
                product
            }
            "reviews" => {
                let product = self.product_of(&third);
                self.make(&format!("/api/shop/products/{product}/reviews"), json!({ "rating": 5 }), owner)
            }
            "files" | "id" => text(&self.file_of(owner)["id"]),
            "orders" => {
                let product = self.product_of(&third);
                self.make("/api/shop/orders", json!({ "productId": product }), owner)
            }
            _ => panic!("this test does not know what an id behind {word:?} names: teach it, above, to make one"),
        }
    }

    fn path(&mut self, route: &Route, owner: &Person) -> String {
        let mut path = route.service.prefix().to_owned();
        let mut before = "";
        for segment in &route.segments {
            let word = match segment {
                Segment::Text(word) => {
                    before = word;
                    (*word).to_owned()
                }
                Segment::Id(_) => self.target(before, owner),
                // The bytes of something that everybody may see.
                Segment::Name("hash") => text(&self.file_of(owner)["contentHash"]),
                Segment::Name("variant") => "original.bin".to_owned(),
                Segment::Name(_) => "rust".to_owned(),
            };
            path = format!("{path}/{word}");
        }
        path
    }

    /// The least that a route's body may be, by its description.
    fn body(&mut self, described: &Value) -> Option<Value> {
        let schema = described.pointer("/requestBody/content/application~1json/schema")?.clone();
        Some(self.sample("", &schema))
    }

    fn sample(&mut self, name: &str, schema: &Value) -> Value {
        if let Some(first) = schema["enum"].as_array().and_then(|words| words.first()) {
            return first.clone();
        }
        if let Some(word) = schema.get("const") {
            return word.clone();
        }
        if let Some(choices) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
            let choices = choices.clone();
            return self.sample(name, &choices[0]);
        }
        let third = self.third.clone();
        match (schema["type"].as_str().unwrap_or_default(), name) {
            ("object", _) => {
                let required = schema["required"].as_array().cloned().unwrap_or_default();
                let fields = required.iter().filter_map(Value::as_str);
                let fields: Vec<_> = fields.map(|field| (field.to_owned(), schema["properties"][field].clone())).collect();
                fields.into_iter().map(|(field, schema)| (field.clone(), self.sample(&field, &schema))).collect::<Map<_, _>>().into()
            }
            ("array", _) => json!([]),
            ("boolean", _) => json!(true),
            ("integer" | "number", _) => json!(schema["minimum"].as_u64().unwrap_or(1).max(1)),
            (_, "productId") => self.product_of(&third).into(),
            (_, "postId" | "targetId") => self.post_of(&third).into(),
            (_, "email") => format!("person-{}@example.org", self.number()).into(),
            (_, "price") => json!("1.00"),
            (_, "username") => format!("person-{}", self.number()).into(),
            (_, "password" | "newPassword" | "currentPassword") => json!("a long password"),
            _ => json!(format!("text {}", self.number())),
        }
    }

    /// A request for a route, about something of `owner`'s that is made for it, and the route's description.
    fn request(&mut self, route: &Route, owner: &Person) -> (Request, Value) {
        let template = route.path.split('/').map(|word| word.strip_prefix(':').map_or(word.to_owned(), |name| format!("{{{name}}}")));
        let template = format!("{}{}", route.service.prefix(), template.collect::<Vec<_>>().join("/"));
        let method = ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().find(|method| *method == route.method.as_str()).expect("known");
        let described = self.document["paths"][&template][method.to_ascii_lowercase()].clone();
        assert!(described.is_object(), "{method} {template} is not described");
        if route.input == Input::Multipart {
            return (media::note(), described);
        }
        let (request, body) = (Request::new(method, self.path(route, owner)), self.body(&described));
        (body.map_or(request.clone(), |body| request.json(&body)), described)
    }

    /// Sends a request for `asker` about something of `owner`'s. The answer must be described.
    fn send(&mut self, request: Request, described: &Value, asker: Asker, owner: &Person) -> Answer {
        let (method, path) = (request.method, request.path.clone());
        let other = self.person();
        let answer = self.client.call(&match asker {
            Asker::Anonymous => request,
            Asker::Other => request.by(&other),
            Asker::Owner => request.by(owner),
            Asker::Moderator => request.by(&self.moderator),
            Asker::Admin => request.by(&self.admin),
        });
        let declared = &described["responses"];
        let status = answer.status.to_string();
        assert!(
            declared.get(&status).is_some() || (declared.get("2XX").is_some() && status.starts_with('2')),
            "{method} {path} answers what is not described: {answer}"
        );
        if answer.status >= 400 {
            let said = text(&declared[&status]["description"]);
            assert!(said.contains(&text(&answer.json()["code"])), "{method} {path} refuses with a code that is not described: {answer}");
        }
        answer
    }

    /// Everything that is somebody's, but for what moves by being looked at.
    fn belongings(&mut self, owner: &Person) -> Value {
        let mut all = self.client.call(&get("/api/user/me/export").by(owner)).ok(200);
        for moving in ["exportedAt", "sessions"] {
            all.as_object_mut().expect("an object").remove(moving);
        }
        all
    }
}

/// Routes whose policy lets somebody through to a further question that the least body does not answer: a password, a token, a full cart, a WebSocket.
const ASKS_FURTHER: &[(&str, u16)] =
    &[("/login", 401), ("/password/reset", 400), ("/orders/:id/status", 400), ("/cart/checkout", 409), ("/live", 400)];

#[test]
fn every_route_lets_in_whom_its_row_says_and_nobody_else() {
    let mut stage = Stage::new();
    let mut wrong = Vec::new();
    for route in table() {
        for asker in ASKERS {
            // Whoever signs out or leaves is gone: somebody new does it.
            if (route.path == "/logout" || (route.path == "/me" && route.method == "DELETE"))
                && matches!(asker, Asker::Moderator | Asker::Admin)
            {
                continue;
            }
            let owner = stage.person();
            let (request, described) = stage.request(&route, &owner);
            let before = stage.belongings(&owner);
            let answer = stage.send(request, &described, asker, &owner);
            if !may(route.access, asker) {
                assert_eq!(stage.belongings(&owner), before, "{} {} was refused to {asker:?}, and did something", route.method, route.path);
            }
            let further = ASKS_FURTHER.iter().find(|(path, _)| *path == route.path).map(|(_, status)| *status);
            let is_as_declared = match (may(route.access, asker), asker) {
                (true, _) => matches!(answer.status, 200..=204) || further == Some(answer.status),
                (false, Asker::Anonymous) => answer.status == 401,
                // Whoever may not even know of it is told that there is nothing.
                (false, _) => matches!(answer.status, 403 | 404),
            };
            if !is_as_declared {
                wrong.push(format!("{} {} ({}) by {asker:?}: {answer}", route.method, route.path, route.access.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A cart and a wishlist have no name in a path: whoever asks means their own. And who may take a review down, or judge it, does only that.
#[test]
fn nobody_reaches_into_anothers_cart_wishlist_and_reviews() {
    let mut stage = Stage::new();
    let words = ["cart", "wishlist", "reviews"];
    let is_of_these = |route: &&Route| matches!(route.segments[0], Segment::Text(word) if words.contains(&word));
    let (table, mut asked) = (table(), 0);
    let routes = table.iter().filter(is_of_these);
    for (route, asker) in routes.flat_map(|route| ASKERS.map(|asker| (route, asker))).filter(|(_, asker)| *asker != Asker::Owner) {
        let (what, owner) = (format!("{} {} by {asker:?}", route.method, route.path), stage.person());
        let things = words.map(|word| stage.target(word, &owner));
        let (request, described) = stage.request(route, &owner);
        let named = request.path.clone();
        let before = stage.belongings(&owner);
        let held: Vec<_> = words.iter().map(|word| before[word].as_array().map_or(0, Vec::len)).collect();
        assert!(held.iter().all(|count| *count > 0), "{what}: there is something to reach for, {held:?}");
        let answer = stage.send(request, &described, asker, &owner);
        let others = |mut belongings: Value| {
            let reviews = belongings["reviews"].as_array_mut().expect("reviews");
            reviews.retain(|review| !(named.contains(&text(&review["id"])) && may(route.access, asker)));
            belongings
        };
        assert_eq!(others(stage.belongings(&owner)), others(before), "{what}");
        let tells = answer.text();
        assert!(route.segments.len() > 1 || things.iter().all(|id| !tells.contains(id)), "{what} tells of what is another's: {answer}");
        asked += 1;
    }
    assert!(asked >= 40, "{asked}: the routes of all three");
}

/// What nobody may change through a body, because it says who one is.
#[test]
fn a_body_names_nobody_else() {
    let mut stage = Stage::new();
    let (mallory, victim) = (stage.person(), stage.person());
    for route in table() {
        let template = route.path.split('/').map(|word| word.strip_prefix(':').map_or(word.to_owned(), |name| format!("{{{name}}}")));
        let template = format!("{}{}", route.service.prefix(), template.collect::<Vec<_>>().join("/"));
        let described = stage.document["paths"][&template][route.method.as_str().to_ascii_lowercase()].clone();
        let Some(schema) = described.pointer("/requestBody/content/application~1json/schema").cloned() else { continue };
        for field in ["userId", "sellerId", "buyerId"] {
            if schema["properties"].get(field).is_none() || route.access != Access::Person {
                continue;
            }
            let mut body = stage.body(&described).expect("a body");
            body[field] = victim.id.clone().into();
            let owner = stage.third.clone();
            let path = stage.path(&route, &owner);
            let request = if route.method == "PUT" { put(path, body) } else { post(path, body) };
            let answer = stage.client.call(&request.by(&mallory));
            assert_eq!(answer.status, 403, "{} {} in another's name: {answer}", route.method, route.path);
        }
    }
}
