//! Everything that finds or shows posts, against a model of who may see what: nothing that is not for a viewer is in any body that they get, and
//! what is for them is there.
//!
//! `MODEL_SEED` and `MODEL_STEPS` in the environment ask for other and more of it.

use crate::{
    http::{Client, Person, Request, delete, get, items, post, put, text},
    rank::promoted,
    server::Server,
    store::{Store, on_both_stores},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use protocol::Role;
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

on_both_stores! {
    nothing_is_shown_to_whom_it_is_not_for_and_everything_to_whom_it_is,
}

const PEOPLE: usize = 4;
const TAGS: [&str; 3] = ["red", "green", "blue"];
const WORDS: [&str; 3] = ["apple", "pear", "plum"];

struct Post {
    id: String,
    author: usize,
    tag: &'static str,
    word: &'static str,
    visibility: &'static str,
    is_published: bool,
    is_deleted: bool,
    is_hidden: bool,
    /// Who flagged it since the last decision; `None` if nobody ever did.
    flags: Option<BTreeSet<usize>>,
    parent: Option<usize>,
    reactions: BTreeMap<usize, &'static str>,
    /// Who commented, and the comments' ids, oldest first.
    comments: Vec<(usize, String)>,
}

impl Post {
    fn is_open(&self) -> bool {
        self.visibility == "public" && self.is_published && !self.is_deleted && !self.is_hidden
    }
}

struct Play {
    random: ChaCha8Rng,
    client: Client,
    people: Vec<Person>,
    moderator: Person,
    posts: Vec<Post>,
    /// The post that was chosen last.
    last: Option<usize>,
    follows: BTreeSet<(usize, usize)>,
    /// Who blocks whom.
    blocks: BTreeSet<(usize, usize)>,
    /// Who keeps which posts, and the bookmarks' ids, oldest first.
    kept: Vec<(usize, usize, String)>,
}

impl Play {
    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices.choose(&mut self.random).expect("some").clone()
    }

    fn someone(&mut self) -> usize {
        self.random.random_range(0..PEOPLE)
    }

    fn are_friends(&self, a: usize, b: usize) -> bool {
        self.follows.contains(&(a, b)) && self.follows.contains(&(b, a))
    }

    fn are_apart(&self, a: usize, b: usize) -> bool {
        self.blocks.contains(&(a, b)) || self.blocks.contains(&(b, a))
    }

    fn sees(&self, viewer: Option<usize>, post: &Post) -> bool {
        if viewer.is_some_and(|viewer| self.are_apart(viewer, post.author)) {
            return false;
        }
        let is_for_friends = post.is_published && post.visibility == "friends" && !post.is_hidden;
        let of_friend = is_for_friends && viewer.is_some_and(|viewer| self.are_friends(viewer, post.author));
        !post.is_deleted && (viewer == Some(post.author) || post.is_open() || of_friend)
    }

    /// The content of the `at`th post: no other one has its secret.
    fn content(at: usize, tag: &str, word: &str) -> String {
        format!("#{tag} {word} secret{at}x")
    }

    #[track_caller]
    fn call(&mut self, by: usize, request: &Request, status: u16) -> Value {
        self.client.call(&request.clone().by(&self.people[by])).ok(status)
    }

    fn deed(&mut self) {
        match self.random.random_range(0..24) {
            19 => self.block(),
            20..=21 => self.comment(),
            0..=4 => self.write(),
            5..=7 => self.change(),
            8 => self.delete(),
            9..=10 => self.follow(),
            11..=12 => self.share(),
            13 => self.keep(),
            14..=16 => self.flag(),
            17..=18 => self.moderate(),
            _ => self.react(),
        }
    }

    fn write(&mut self) {
        let (author, visibility) = (self.someone(), self.of(&["public", "public", "friends", "private"]));
        let (tag, word, is_published) = (self.of(&TAGS), self.of(&WORDS), !self.random.random_ratio(1, 6));
        let content = Self::content(self.posts.len(), tag, word);
        let body = json!({"content": content, "visibility": visibility, "isPublished": is_published});
        let id = text(&self.call(author, &post("/api/content/posts", body), 201)["id"]);
        self.posts.push(Post {
            id,
            author,
            tag,
            word,
            visibility,
            is_published,
            is_deleted: false,
            is_hidden: false,
            flags: None,
            parent: None,
            reactions: BTreeMap::new(),
            comments: Vec::new(),
        });
    }

    fn one_post(&mut self) -> Option<usize> {
        let shares: Vec<usize> = (0..self.posts.len()).filter(|at| self.posts[*at].parent.is_some()).collect();
        let any = |random: &mut ChaCha8Rng| (!self.posts.is_empty()).then(|| random.random_range(0..self.posts.len()));
        // Shares are few among posts, and most can happen to them.
        let is_share = !shares.is_empty() && self.random.random_ratio(1, 3);
        self.last = if is_share { shares.choose(&mut self.random).copied() } else { any(&mut self.random) };
        self.last
    }

    /// Whether a share of the post would be for more people than the post: by whom, and for whom.
    fn is_too_wide(&self, parent: usize, by: usize, visibility: &str) -> bool {
        let parent = &self.posts[parent];
        let is_for_friends = parent.is_published && parent.visibility == "friends" && !parent.is_hidden;
        let friendly = is_for_friends && parent.author == by && visibility == "friends";
        !(parent.is_open() || visibility == "private" || friendly)
    }

    fn change(&mut self) {
        let Some(at) = self.one_post() else { return };
        let (visibility, is_published) = (self.of(&["public", "friends", "private"]), self.random.random_bool(0.7));
        let (tag, word) = (self.of(&TAGS), self.of(&WORDS));
        let change = match self.random.random_range(0..3) {
            0 => json!({"visibility": visibility}),
            1 => json!({"isPublished": is_published}),
            _ => json!({"content": Self::content(at, tag, word)}),
        };
        let author = self.posts[at].author;
        let held = self.posts[at].parent.filter(|parent| self.sees(Some(author), &self.posts[*parent]));
        let too_wide = change.get("visibility").is_some() && held.is_some_and(|parent| self.is_too_wide(parent, author, visibility));
        let status = match () {
            () if self.posts[at].is_deleted => 404,
            () if too_wide => 403,
            () => 200,
        };
        let request = put(format!("/api/content/posts/{}", self.posts[at].id), change.clone());
        self.call(author, &request, status);
        if status == 200 {
            let post = &mut self.posts[at];
            post.visibility = change.get("visibility").map_or(post.visibility, |_| visibility);
            post.is_published = change["isPublished"].as_bool().unwrap_or(post.is_published);
            (post.tag, post.word) = change.get("content").map_or((post.tag, post.word), |_| (tag, word));
        }
    }

    fn delete(&mut self) {
        let Some(at) = self.one_post() else { return };
        let (author, status) = (self.posts[at].author, if self.posts[at].is_deleted { 404 } else { 204 });
        self.call(author, &delete(format!("/api/content/posts/{}", self.posts[at].id)), status);
        self.posts[at].is_deleted = true;
    }

    fn follow(&mut self) {
        let (a, b, add) = (self.someone(), self.someone(), self.random.random_bool(0.7));
        if a != b {
            let (method, is_apart) = (if add { "PUT" } else { "DELETE" }, self.are_apart(a, b));
            let status = if add && is_apart { 404 } else { 200 };
            self.call(a, &Request::new(method, format!("/api/user/users/{}/follow", self.people[b].id)), status);
            if !add {
                self.follows.remove(&(a, b));
            } else if !is_apart {
                self.follows.insert((a, b));
            }
        }
    }

    fn block(&mut self) {
        // Mostly it ends: else everybody would be apart soon.
        let ending = self.blocks.iter().next().copied().filter(|_| self.random.random_bool(0.7));
        let (a, b) = ending.unwrap_or_else(|| (self.someone(), self.someone()));
        if a != b {
            let method = if ending.is_some() { "DELETE" } else { "PUT" };
            self.call(a, &Request::new(method, format!("/api/user/users/{}/block", self.people[b].id)), 200);
            if ending.is_some() {
                self.blocks.remove(&(a, b));
            } else {
                self.blocks.insert((a, b));
                self.follows.retain(|pair| *pair != (a, b) && *pair != (b, a));
            }
            // Whoever is blocked learns nothing of it, nor of whom they followed.
            let asked = get(format!("/api/user/users/{}/follow", self.people[a].id));
            self.call(b, &asked, if self.are_apart(a, b) { 404 } else { 200 });
        }
    }

    fn comment(&mut self) {
        let (Some(at), by) = (self.one_post(), self.someone()) else { return };
        let status = if self.sees(Some(by), &self.posts[at]) { 201 } else { 404 };
        let made = self.call(by, &post(format!("/api/content/posts/{}/comments", self.posts[at].id), json!({"content": "x"})), status);
        if status == 201 {
            self.posts[at].comments.push((by, text(&made["id"])));
        }
    }

    fn share(&mut self) {
        let (Some(parent), by) = (self.one_post(), self.someone()) else { return };
        let (visibility, tag, word) = (self.of(&["public", "friends", "private"]), self.of(&TAGS), self.of(&WORDS));
        let status = match () {
            () if !self.sees(Some(by), &self.posts[parent]) => 404,
            () if self.is_too_wide(parent, by, visibility) => 403,
            () => 201,
        };
        let body = json!({"content": Self::content(self.posts.len(), tag, word), "visibility": visibility});
        let made = self.call(by, &post(format!("/api/content/posts/{}/share", self.posts[parent].id), body), status);
        if status == 201 {
            self.posts.push(Post {
                id: text(&made["id"]),
                author: by,
                tag,
                word,
                visibility,
                is_published: true,
                is_deleted: false,
                is_hidden: false,
                flags: None,
                parent: Some(parent),
                reactions: BTreeMap::new(),
                comments: Vec::new(),
            });
        }
    }

    fn keep(&mut self) {
        let (Some(at), by) = (self.one_post(), self.someone()) else { return };
        let is_kept = self.kept.iter().any(|(who, what, _)| (*who, *what) == (by, at));
        let status = match () {
            () if !self.sees(Some(by), &self.posts[at]) => 404,
            () if is_kept => 200,
            () => 201,
        };
        let made = self.call(by, &post("/api/content/bookmarks", json!({"postId": self.posts[at].id})), status);
        if status == 201 {
            self.kept.push((by, at, text(&made["id"])));
        }
    }

    fn react(&mut self) {
        let (Some(at), by, reaction) = (self.one_post(), self.someone(), self.of(&["like", "love", "angry"])) else { return };
        let (path, is_seen) = (format!("/api/content/posts/{}/reaction", self.posts[at].id), self.sees(Some(by), &self.posts[at]));
        if self.random.random_ratio(1, 3) {
            let may = is_seen || (!self.posts[at].is_deleted && self.posts[at].reactions.contains_key(&by));
            self.call(by, &delete(path), if may { 200 } else { 404 });
            if may {
                self.posts[at].reactions.remove(&by);
            }
        } else {
            self.call(by, &put(path, json!({"type": reaction})), if is_seen { 200 } else { 404 });
            if is_seen {
                self.posts[at].reactions.insert(by, reaction);
            }
        }
    }

    fn flag(&mut self) {
        let (Some(at), by) = (self.one_post(), self.someone()) else { return };
        let is_flagged = self.posts[at].flags.as_ref().is_some_and(|flags| flags.contains(&by));
        let status = match () {
            () if !self.sees(Some(by), &self.posts[at]) => 404,
            () if self.posts[at].author == by => 403,
            () if is_flagged => 200,
            () => 201,
        };
        let body = json!({"targetType": "post", "targetId": self.posts[at].id, "reason": "spam"});
        self.call(by, &post("/api/user/moderation/flags", body), status);
        if status == 201 {
            self.posts[at].flags.get_or_insert_default().insert(by);
        }
    }

    fn moderate(&mut self) {
        let Some(at) = self.one_post() else { return };
        let action = self.of(&["hide", "hide", "restore"]);
        let status = match &self.posts[at] {
            Post { flags: None, .. } => 404,
            Post { is_hidden: false, .. } if action == "restore" => 409,
            _ => 200,
        };
        let decision = post(format!("/api/user/moderation/cases/{}/decision", self.posts[at].id), json!({"action": action}));
        self.client.call(&decision.by(&self.moderator)).ok(status);
        if status == 200 {
            self.posts[at].is_hidden = action == "hide";
            self.posts[at].flags = Some(BTreeSet::new());
        }
    }

    /// Asks, and looks through the answer for what is not for the viewer.
    #[track_caller]
    fn look(&mut self, viewer: Option<usize>, path: &str, status: u16) -> Value {
        let request = viewer.map_or(get(path), |viewer| get(path).by(&self.people[viewer]));
        let answer = self.client.call(&request);
        let body = answer.text();
        for secret in body.split("secret").skip(1) {
            let at: usize = secret.split('x').next().and_then(|number| number.parse().ok()).expect("a number");
            assert!(self.sees(viewer, &self.posts[at]), "{path} shows post {at} to {viewer:?}: {answer}");
        }
        answer.ok(status)
    }

    /// The ids of a list. No cursor names a post that the viewer may not see.
    #[track_caller]
    fn walk(&mut self, viewer: Option<usize>, list: &str) -> Vec<String> {
        let limit = self.of(&[1, 2, 5, 20]);
        let (mut ids, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.look(viewer, &format!("{list}limit={limit}{cursor}"), 200);
            ids.extend(items(&page).iter().map(|item| text(item.get("postId").unwrap_or(&item["id"]))));
            let Some(next) = page["nextCursor"].as_str() else { return ids };
            assert_eq!(items(&page).len(), limit, "{list} has a short page");
            let bytes = URL_SAFE_NO_PAD.decode(next).expect("base64");
            let named = uuid::Uuid::from_slice(&bytes[bytes.len() - 16..]).expect("an id").to_string();
            let hidden = self.posts.iter().any(|post| post.id == named && !self.sees(viewer, post));
            assert!(!hidden, "the cursor of {list} names {named} to {viewer:?}");
            cursor = format!("&cursor={next}");
        }
    }

    fn expected(&self, wanted: impl Fn(&Post) -> bool) -> Vec<String> {
        self.posts.iter().rev().filter(|post| wanted(post)).map(|post| post.id.clone()).collect()
    }

    fn check(&mut self) {
        let viewer = self.random.random_bool(0.8).then(|| self.someone());
        match self.random.random_range(0..7) {
            0 => self.check_lists(viewer),
            1 => self.check_search(viewer),
            2 => self.check_hashtags(viewer),
            3 => self.check_bookmarks(),
            _ => self.check_one(viewer),
        }
    }

    fn check_lists(&mut self, viewer: Option<usize>) {
        let author = self.someone();
        let of_author = format!("/api/content/users/{}/posts?", self.people[author].id);
        if viewer.is_some_and(|viewer| self.are_apart(viewer, author)) {
            self.look(viewer, &of_author, 404);
        } else {
            let walked = self.walk(viewer, &of_author);
            assert_eq!(walked, self.expected(|post| post.author == author && self.sees(viewer, post)), "posts of {author} to {viewer:?}");
        }
        let walked = self.walk(None, "/api/content/public/posts?");
        assert_eq!(walked, self.expected(Post::is_open));
        if let Some(viewer) = viewer {
            let walked = self.walk(Some(viewer), &format!("/api/content/feed/{}?", self.people[viewer].id));
            let follows = |author| author == viewer || self.follows.contains(&(viewer, author));
            assert_eq!(walked, self.expected(|post| follows(post.author) && self.sees(Some(viewer), post)), "the feed of {viewer}");
        }
    }

    fn check_search(&mut self, viewer: Option<usize>) {
        let word = self.of(&WORDS);
        let walked = self.walk(viewer, &format!("/api/content/posts/search?q={word}&"));
        assert_eq!(walked, self.expected(|post| post.word == word && self.sees(viewer, post)), "{word} to {viewer:?}");
        if let Some(at) = self.one_post() {
            let walked = self.walk(viewer, &format!("/api/content/posts/search?q=Secret{at}X+{word}&"));
            assert_eq!(walked, self.expected(|post| post.id == self.posts[at].id && post.word == word && self.sees(viewer, post)));
        }
    }

    fn check_hashtags(&mut self, viewer: Option<usize>) {
        let tag = self.of(&TAGS);
        let walked = self.walk(viewer, &format!("/api/content/hashtags/{tag}/posts?"));
        assert_eq!(walked, self.expected(|post| post.tag == tag && post.is_open() && self.sees(viewer, post)), "#{tag} to {viewer:?}");
        let trends = self.look(viewer, "/api/content/hashtags/trending", 200);
        let counts: BTreeMap<_, _> = items(&trends).iter().map(|trend| (text(&trend["tag"]), trend["postCount"].clone())).collect();
        let expected = TAGS.map(|tag| (tag.to_owned(), self.posts.iter().filter(|post| post.tag == tag && post.is_open()).count()));
        assert_eq!(counts, expected.into_iter().filter(|(_, count)| *count > 0).map(|(tag, count)| (tag, json!(count))).collect());
    }

    fn check_bookmarks(&mut self) {
        let who = self.someone();
        let page = self.look(Some(who), "/api/content/bookmarks?limit=100", 200);
        let shown: Vec<_> = items(&page).iter().map(|row| (text(&row["id"]), text(&row["post"]["id"]))).collect();
        let own = self.kept.iter().rev().filter(|(by, at, _)| *by == who && self.sees(Some(who), &self.posts[*at]));
        assert_eq!(shown, own.map(|(_, at, id)| (id.clone(), self.posts[*at].id.clone())).collect::<Vec<_>>(), "bookmarks of {who}");
    }

    fn check_one(&mut self, viewer: Option<usize>) {
        if let Some(at) = self.one_post() {
            self.check_post(at, viewer);
        }
    }

    /// What the last deed was about, and what that shares: to everybody.
    fn check_last(&mut self) {
        let Some(last) = self.last else { return };
        for at in [Some(last), self.posts[last].parent].into_iter().flatten() {
            for viewer in (0..PEOPLE).map(Some).chain([None]) {
                self.check_post(at, viewer);
            }
        }
    }

    fn check_post(&mut self, at: usize, viewer: Option<usize>) {
        let (path, status) =
            (format!("/api/content/posts/{}", self.posts[at].id), if self.sees(viewer, &self.posts[at]) { 200 } else { 404 });
        let shown = self.look(viewer, &path, status);
        let reactions = self.look(viewer, &format!("{path}/reactions"), status);
        let comments = self.look(viewer, &format!("{path}/comments?limit=100"), status);
        if status == 200 {
            let found = &self.posts[at];
            assert_eq!(shown["content"], Self::content(at, found.tag, found.word));
            assert_eq!(shown.get("hidden"), found.is_hidden.then_some(&json!(true)));
            assert_eq!((&shown["likesCount"], &reactions["total"]), (&json!(found.reactions.len()), &json!(found.reactions.len())));
            let known = |by: usize| viewer.is_none_or(|viewer| !self.are_apart(viewer, by));
            let expected: Vec<_> = found.comments.iter().filter(|(by, _)| known(*by)).map(|(_, id)| id.clone()).collect();
            assert_eq!(items(&comments).iter().map(|row| text(&row["id"])).collect::<Vec<_>>(), expected, "comments on {at} to {viewer:?}");
            let own = viewer.and_then(|viewer| found.reactions.get(&viewer));
            assert_eq!(reactions.get("own").and_then(Value::as_str), own.copied());
            let shares = self.posts.iter().filter(|post| post.parent == Some(at) && post.is_open()).count();
            assert_eq!(shown["sharesCount"], shares, "shares of {at}");
            if let Some(parent) = found.parent {
                let parent = &self.posts[parent];
                let expected = if self.sees(viewer, parent) { json!(parent.id) } else { Value::Null };
                assert_eq!(shown["parent"].get("id").unwrap_or(&Value::Null), &expected, "what {at} shares to {viewer:?}");
            }
        }
    }
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

fn play(store: Store, settings: &[&str], seed: u64, steps: u64) {
    let mut server = store.with(settings);
    let mut client = server.gateway();
    let people = (0..PEOPLE).map(|number| client.register(&format!("person{number}"))).collect();
    let moderator = client.register("judge");
    server = promoted(server, &[(&moderator, Role::Moderator)], settings);
    client = server.gateway();
    let random = ChaCha8Rng::seed_from_u64(seed);
    let (follows, blocks) = Default::default();
    let mut play = Play { random, client, people, moderator, posts: Vec::new(), last: None, follows, blocks, kept: Vec::new() };
    for step in 1..=steps {
        play.deed();
        play.check_last();
        play.check();
        play.check();
        if step == steps / 2 {
            // From here on most of it is cold.
            server = Server::on(server.kill(), settings);
            play.client = server.gateway();
        }
    }
}

fn nothing_is_shown_to_whom_it_is_not_for_and_everything_to_whom_it_is(store: Store) {
    let (seed, steps) = (from_environment("MODEL_SEED", 1), from_environment("MODEL_STEPS", 250));
    for settings in [&[][..], &["cache.bytes_max=1MiB"]] {
        let played = std::panic::catch_unwind(|| play(store, settings, seed, steps));
        assert!(played.is_ok(), "with {settings:?} and seed {seed}");
    }
}
