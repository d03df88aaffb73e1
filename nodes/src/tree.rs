//! The supervision tree: one table, in start order.
//!
//! Every child is restarted at once when it ends. A supervisor whose children end more often than its intensity gives up, and the root's end
//! fails liveness, so that whoever runs the process replaces it. What is lost with a child stands beside it.

use actors::{
    Node, checkout, dependency, entity, errand, foreign, hand_off, live, outbox, region, second_level,
    supervisor::{Child, Intensity, Spec, Supervisor},
    takeover,
};
use edge::rate::{Limiter, exchange};
use ractor::{Actor, ActorRef, SpawnErr};
use std::{sync::Arc, time::Duration};

/// What only a serving node has in its tree.
#[derive(Default)]
pub struct Extra<'n> {
    /// Its edge's.
    pub limiter: Option<&'n Arc<Limiter>>,
    /// Its media's: the image optimizer, and who takes up and removes what is left behind. All that is lost with them is in the store.
    pub media: Vec<Child>,
}

/// The tree of one node.
pub fn spec(node: &Arc<Node>, owners: Intensity, means: Arc<errand::Means>, extra: Extra<'_>) -> Spec {
    let Extra { limiter, media } = extra;
    Spec {
        name: "node".to_owned(),
        // For the outbox and the errands. Supervisors of owners end when their own intensity is exceeded, and that escalates at once.
        intensity: Intensity { restarts_max: 3, within: Duration::from_secs(60) },
        children: vec![
            // Owners hold what is in flight: callers get 503 at once, snapshots of the dead incarnation are not served any more, a commit
            // under way is fenced before the next load. Nothing acknowledged is lost.
            region::owners::<entity::user::User>(node, owners),
            region::owners::<entity::account::Account>(node, owners),
            region::owners::<entity::follows::Follows>(node, owners),
            region::owners::<entity::timeline::Timeline>(node, owners),
            region::owners::<entity::feed::Feed>(node, owners),
            region::owners::<entity::post::Post>(node, owners),
            region::owners::<entity::product::Product>(node, owners),
            region::owners::<entity::list::BuyerOrders>(node, owners),
            region::owners::<entity::list::SellerOrders>(node, owners),
            region::owners::<entity::list::SellerProducts>(node, owners),
            region::owners::<entity::list::ProductList>(node, owners),
            region::owners::<entity::list::PostList>(node, owners),
            region::owners::<entity::list::Hashtag>(node, owners),
            region::owners::<entity::bookmarks::Bookmarks>(node, owners),
            region::owners::<entity::list::PeopleList>(node, owners),
            region::owners::<entity::order::Order>(node, owners),
            region::owners::<entity::cart::Cart>(node, owners),
            region::owners::<entity::checkout::Checkout>(node, owners),
            region::owners::<entity::review::Review>(node, owners),
            region::owners::<entity::list::Reviews>(node, owners),
            region::owners::<entity::wishlist::Wishlist>(node, owners),
            region::owners::<entity::case::Case>(node, owners),
            region::owners::<entity::list::CaseList>(node, owners),
            region::owners::<entity::file::File>(node, owners),
            region::owners::<entity::file::Content>(node, owners),
            region::owners::<entity::list::FileList>(node, owners),
            region::owners::<entity::list::UserFiles>(node, owners),
            // Looks how the databases and Redis are; what it knew is known again after its next look.
            dependency::watch(node),
            // Sends ahead what is warm of slots that go to other nodes, and gives them up; what a panic interrupts the core gives up a little later.
            hand_off::watch(node),
            // Takes slots in hand that became this node's; what a panic interrupts, the outbox's sweeper and loads make up for.
            takeover::watch(node),
            // Asks the owners of what clients watch to say when it moves; what was asked is known to the keys themselves.
            live::registrar(node),
            // Delivers what a crash left undelivered; it keeps nothing in memory that is not in the store.
            outbox::sweeper(node),
            // Looks for what others wrote; a look that was cut short is made again.
            foreign::watch(node),
            // Mail and what else follows an answer; what was under way is run again.
            errand::runner(means),
            // Releases checkouts that nobody drives any more; they are in the store.
            checkout::sweeper(node),
        ]
        .into_iter()
        // Keeps what is warm in Redis, where there is one: not needed to be right.
        .chain(second_level::keeper(node))
        .chain(media)
        // Tells other edges what callers spend here, and learns what they spend there. What was being told is not told again.
        .chain(limiter.and_then(|limiter| exchange::exchanger(limiter, node)))
        .collect(),
    }
}

/// Starts the tree.
///
/// # Errors
/// When a child does not start.
pub async fn start(spec: Spec) -> Result<ActorRef<actors::supervisor::Message>, SpawnErr> {
    Ok(Actor::spawn(None, Supervisor, spec).await?.0)
}
