//! Who looks at a file that a case is about, and that not everybody may see.

use crate::{
    http::{Client, Person, Request, get, items, post, text},
    media::{follow, image, path_of, upload},
    rank::promoted,
    refusal::refused,
    store::{Store, on_both_stores},
};
use protocol::Role;
use serde_json::{Value, json};

on_both_stores! {
    moderators_look_at_what_they_may_decide_on_and_it_is_logged,
}

/// What a case says of its file to whoever reads it, alone or in the queue; `None` where they may not.
fn told(client: &mut Client, id: &str, by: &Person, in_queue: bool) -> Option<Value> {
    let path = if in_queue { "/api/user/moderation/queue?limit=100".to_owned() } else { format!("/api/user/moderation/cases/{id}") };
    let answer = client.call(&get(path).by(by));
    if answer.status != 200 {
        assert!(matches!(answer.status, 403 | 404), "{answer}");
        return None;
    }
    let case = if in_queue { items(&answer.json()).iter().find(|case| case["id"] == id)?.clone() } else { answer.json() };
    Some(case["target"].clone())
}

fn decide(id: &str, action: &str) -> Request {
    post(format!("/api/user/moderation/cases/{id}/decision"), json!({ "action": action }))
}

fn moderators_look_at_what_they_may_decide_on_and_it_is_logged(store: Store) {
    let server = store.start();
    let mut client = server.gateway();
    let [ada, bob, meg, mona, amy] = ["ada", "bob", "meg", "mona", "amy"].map(|name| client.register(name));
    let server = promoted(server, &[(&meg, Role::Moderator), (&mona, Role::Moderator), (&amy, Role::Admin)], &[]);
    let mut client = server.gateway();
    let everybody = [("its owner", &ada), ("who flagged it", &bob), ("a moderator", &meg), ("an admin", &amy)];
    let file = client.call(&upload("photo.jpg", &image("exif1_small.jpg"), "public").by(&ada)).ok(201);
    let id = text(&file["id"]);
    let flag = json!({ "targetType": "file", "targetId": id, "reason": "nudity" });
    client.call(&post("/api/user/moderation/flags", flag).by(&bob)).ok(201);
    let visibility =
        |visibility: &str| Request::new("PATCH", format!("/api/media/files/{id}")).json(&json!({ "visibility": visibility })).by(&ada);
    let looks = |client: &mut Client| {
        let log = client.call(&get(format!("/api/user/audit?target={id}&limit=100")).by(&amy)).ok(200);
        let looks = items(&log).iter().filter(|entry| entry["action"] == "file.look");
        looks.map(|entry| (text(&entry["actorId"]), entry["targetType"].clone())).collect::<Vec<_>>()
    };

    // What everybody sees has its addresses wherever a case is read, and nobody's look at it is noted.
    for (who, by) in everybody {
        for in_queue in [false, true] {
            let shown = told(&mut client, &id, by, in_queue).map(|target| target["url"].clone());
            let may = if in_queue { who == "a moderator" || who == "an admin" } else { who != "who flagged it" };
            assert_eq!(shown, may.then(|| file["url"].clone()), "{who}");
        }
    }
    assert_eq!(looks(&mut client), []);

    // Of what is private, or was hidden, only those who may decide on it, in its own case; each time it is noted.
    client.call(&visibility("private")).ok(200);
    let mut noted = Vec::new();
    for hidden in [false, true] {
        if hidden {
            client.call(&visibility("public")).ok(200);
            client.call(&decide(&id, "hide").by(&meg)).ok(200);
        }
        for (who, by) in everybody {
            let queued = told(&mut client, &id, by, true);
            assert_eq!(queued.is_some(), who == "a moderator" || who == "an admin", "{who}");
            assert!(queued.is_none_or(|target| target.get("url").is_none() && target["contentHash"] == file["contentHash"]), "{who}");
            let whole = told(&mut client, &id, by, false);
            let Some(target) = whole else {
                assert_eq!(who, "who flagged it");
                continue;
            };
            assert!(text(&target["url"]).contains("signature="), "{who}: {target}");
            if who != "its owner" {
                noted.insert(0, (by.id.clone(), json!("file")));
                refused(&client.call(&get(format!("/api/media/files/id/{id}")).by(by)), 404, "not_found");
            }
            for address in [&target["url"], &target["thumbnailUrl"], &target["responsiveSizes"]["large"]] {
                let bytes = follow(&mut client, address);
                assert_eq!((bytes.status, bytes.header("cache-control")), (200, Some("private, no-store")), "{who}");
                let (bare, _) = path_of(address).split_once('?').map(|(bare, query)| (bare.to_owned(), query.to_owned())).expect("signed");
                refused(&client.call(&get(bare)), 404, "not_found");
            }
        }
        assert_eq!(looks(&mut client), noted, "hidden: {hidden}");
    }

    // Once there is nothing to decide any more, it is private again to them, too.
    client.call(&visibility("private")).ok(200);
    client.call(&decide(&id, "restore").by(&meg)).ok(200);
    let target = told(&mut client, &id, &meg, false).expect("the case is there");
    assert_eq!((target.get("url"), looks(&mut client).len()), (None, noted.len()));

    // A moderator's are for those above them.
    let own = client.call(&upload("own.png", &image("alpha_palette.png"), "public").by(&mona)).ok(201);
    let own = text(&own["id"]);
    let flag = json!({ "targetType": "file", "targetId": own, "reason": "spam" });
    client.call(&post("/api/user/moderation/flags", flag).by(&bob)).ok(201);
    client.call(&Request::new("PATCH", format!("/api/media/files/{own}")).json(&json!({ "visibility": "private" })).by(&mona)).ok(200);
    let has_address = |client: &mut Client, by: &Person| told(client, &own, by, false).expect("a case").get("url").is_some();
    assert_eq!((has_address(&mut client, &meg), has_address(&mut client, &amy), has_address(&mut client, &mona)), (false, true, true));
    let log = client.call(&get(format!("/api/user/audit?target={own}")).by(&amy)).ok(200);
    let actors: Vec<_> = items(&log).iter().map(|entry| text(&entry["actorId"])).collect();
    assert_eq!(actors, std::slice::from_ref(&amy.id), "the owner's own look is none");
}
