//! Reviews. A review's owner decides what becomes of it; the product's rating follows in the same transaction, and so do the lists by rating.

use super::{Asked, Decision, Entity, Plan, QueryError, family, heard, json, touch};
use crate::{node::Node, visibility::moderates};
use protocol::{
    Command, ErrorCode, Fact, Kind, Outcome, Query, Refusal, Reply, ReviewId, View,
    review::{self, NewReview, Vote},
};
use std::sync::Arc;
use store::{Expect, ShopWrite, StoreError, Touch, Write};
use uuid::Uuid;

/// The owner of reviews.
pub struct Review;

impl Entity for Review {
    const KIND: Kind = Kind::Review;
    type State = review::Review;
    type Command = review::Command;

    fn command(command: Command) -> Option<review::Command> {
        if let Command::Review(command) = command { Some(command) } else { None }
    }

    async fn load(node: &Arc<Node>, id: Uuid) -> Result<Option<review::Review>, StoreError> {
        node.stores.shop.review(ReviewId(id)).await
    }

    fn version(state: &review::Review) -> u64 {
        state.version
    }

    fn bytes(state: &review::Review) -> usize {
        let texts = [&state.title, &state.review_text];
        size_of::<review::Review>() + texts.iter().map(|t| t.as_ref().map_or(0, String::len)).sum::<usize>()
    }

    fn view(state: &review::Review) -> View {
        View { version: state.version, audience: state.audience(), body: json(state), fact: Fact::By(state.user_id) }
    }

    async fn query(_: &Arc<Node>, _: Uuid, _: Arc<review::Review>, _: Query) -> Result<View, QueryError> {
        Err(QueryError::unknown())
    }

    fn decide(state: Option<&review::Review>, asked: &Asked, command: review::Command) -> Result<Decision<review::Review>, Refusal> {
        if let review::Command::Create { product, seller, new } = command {
            if state.is_some() {
                return Err(ErrorCode::Conflict.into());
            }
            if asked.user()? == seller {
                return Err(Refusal::new(ErrorCode::Forbidden, "nobody reviews what they sell"));
            }
            return create(asked, product, new);
        }
        let state = state.ok_or(ErrorCode::NotFound)?;
        match command {
            review::Command::Create { .. } => Err(ErrorCode::BadFrame.into()),
            review::Command::Update(update) => {
                asked.only(state.user_id)?;
                update.validate()?;
                let mut next = review::Review { updated_at: asked.now, ..next(state) };
                update.apply(&mut next);
                let touches = if next.rating == state.rating || state.hidden { Vec::new() } else { vec![by_rating()] };
                let reply = Reply { outcome: Outcome::Done, version: next.version, body: json(&next) };
                Ok(plan(ShopWrite::SaveReview(Box::new(next.clone()), state.rating), touches, Some(next), reply))
            }
            review::Command::Delete => {
                if !moderates(&asked.principal) {
                    asked.only(state.user_id)?;
                }
                let reply = Reply { outcome: Outcome::Done, version: 0, body: bytes::Bytes::new() };
                let touches = vec![touch(Kind::Reviews, state.product_id), by_rating()];
                Ok(plan(ShopWrite::RemoveReview(Box::new(next(state))), touches, None, reply))
            }
            review::Command::Helpful(add) => helpful(state, asked, add),
            review::Command::Moderate(verdict) => {
                asked.only_platform()?;
                let next = review::Review { hidden: verdict.hidden, ..next(state) };
                let touches = vec![touch(Kind::Reviews, state.product_id), by_rating()];
                let write = Write::Shop(ShopWrite::ModerateReview(Box::new(next.clone()), state.hidden, verdict));
                Ok(Plan { write, expect: Expect::Row, touches, next: Some(next), reply: heard(), unchanged: Some(heard()) }.into())
            }
        }
    }
}

/// The lists that a rating moves.
fn by_rating() -> Touch {
    touch(Kind::ProductList, family::PRODUCTS_BY_RATING)
}

fn next(state: &review::Review) -> review::Review {
    review::Review { version: state.version + 1, ..state.clone() }
}

fn plan(write: ShopWrite, touches: Vec<Touch>, next: Option<review::Review>, reply: Reply) -> Decision<review::Review> {
    Plan { write: Write::Shop(write), expect: Expect::Row, touches, next, reply, unchanged: None }.into()
}

fn create(asked: &Asked, product_id: protocol::ProductId, new: NewReview) -> Result<Decision<review::Review>, Refusal> {
    let user_id = asked.user_named(new.user_id)?;
    new.validate()?;
    let review = review::Review {
        id: ReviewId(asked.id),
        product_id,
        user_id,
        rating: new.rating,
        title: new.title,
        review_text: new.review_text,
        helpful_count: 0,
        verified_purchase: false,
        created_at: asked.now,
        updated_at: asked.now,
        version: 1,
        hidden: false,
    };
    let reply = Reply { outcome: Outcome::Created, version: 1, body: json(&review) };
    let touches = vec![touch(Kind::Reviews, product_id), by_rating()];
    // Whether they bought it is the store's to say: the state is loaded.
    Ok(plan(ShopWrite::CreateReview(Box::new(review)), touches, None, reply))
}

fn helpful(state: &review::Review, asked: &Asked, add: bool) -> Result<Decision<review::Review>, Refusal> {
    let by = asked.user()?;
    if by == state.user_id {
        return Err(Refusal::new(ErrorCode::Forbidden, "nobody votes for their own review"));
    }
    let count = if add { state.helpful_count.saturating_add(1) } else { state.helpful_count.saturating_sub(1) };
    let answer = |version, count: u32| {
        let body = json(&Vote { review_id: state.id, helpful: add, helpful_count: count });
        Reply { outcome: Outcome::Done, version, body }
    };
    // It was not edited: only its counter moves.
    let next = review::Review { helpful_count: count, ..next(state) };
    let write = Write::Shop(ShopWrite::VoteReview { review: Box::new(next.clone()), by, add });
    let (reply, unchanged) = (answer(0, count), Some(answer(0, state.helpful_count)));
    Ok(Plan { write, expect: Expect::Row, touches: Vec::new(), next: Some(next), reply, unchanged }.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Audience, Principal, ProductId, Role, Timestamp, UserId};

    fn a_review(author: UserId) -> review::Review {
        review::Review {
            id: ReviewId::new(),
            product_id: ProductId::new(),
            user_id: author,
            rating: 4,
            title: None,
            review_text: None,
            helpful_count: 2,
            verified_purchase: true,
            created_at: Timestamp(1),
            updated_at: Timestamp(1),
            version: 3,
            hidden: false,
        }
    }

    fn decide(
        state: Option<&review::Review>,
        (by, role): (UserId, Role),
        command: review::Command,
    ) -> Result<Plan<review::Review>, ErrorCode> {
        let id = state.map_or_else(Uuid::now_v7, |state| state.id.0);
        match Review::decide(
            state,
            &Asked { id, principal: Principal::User { id: by, role }, now: Timestamp(9), quota: protocol::file::Quota::NONE },
            command,
        ) {
            Ok(Decision::Commit(plan)) => Ok(*plan),
            Ok(Decision::Answer(_)) => panic!("a write was expected"),
            Err(refusal) => Err(refusal.code),
        }
    }

    #[test]
    fn a_review_is_its_authors_and_moderators_may_take_it_away() {
        let (author, other) = (UserId::new(), UserId::new());
        let review = a_review(author);
        let update = || review::Command::Update(review::Update { rating: Some(1), ..Default::default() });
        assert_eq!(decide(Some(&review), (other, Role::Admin), update()).err(), Some(ErrorCode::Forbidden));
        let plan = decide(Some(&review), (author, Role::User), update()).expect("accepted");
        assert!(matches!(plan.write, Write::Shop(ShopWrite::SaveReview(_, 4))), "the stars before are taken off the rating");
        assert_eq!((plan.touches.len(), plan.next.map(|next| (next.rating, next.verified_purchase))), (1, Some((1, true))));
        let reword = review::Command::Update(review::Update { title: protocol::Patch::Set("so".into()), ..Default::default() });
        assert!(decide(Some(&review), (author, Role::User), reword).expect("accepted").touches.is_empty());
        assert_eq!(decide(Some(&review), (other, Role::User), review::Command::Delete).err(), Some(ErrorCode::Forbidden));
        assert!(decide(Some(&review), (other, Role::Moderator), review::Command::Delete).is_ok());
        assert!(decide(Some(&review), (author, Role::User), review::Command::Delete).is_ok());
    }

    #[test]
    fn a_hidden_review_is_its_authors_and_moves_no_rating() {
        let author = UserId::new();
        let shown = a_review(author);
        let moderated = |state: &review::Review, hidden| {
            let command = review::Command::Moderate(protocol::moderation::Verdict { hidden, case_version: 2 });
            match Review::decide(
                Some(state),
                &Asked { id: state.id.0, principal: Principal::Platform, now: Timestamp(9), quota: protocol::file::Quota::NONE },
                command,
            ) {
                Ok(Decision::Commit(plan)) => plan,
                _ => panic!("the platform may"),
            }
        };
        let hiding = moderated(&shown, true);
        assert!(matches!(hiding.write, Write::Shop(ShopWrite::ModerateReview(_, false, _))));
        assert!(hiding.touches.contains(&by_rating()));
        let hidden = hiding.next.expect("a next state");
        assert_eq!(Review::view(&hidden).audience, Audience::Only(author));
        let update = review::Command::Update(review::Update { rating: Some(1), ..Default::default() });
        assert!(decide(Some(&hidden), (author, Role::User), update).expect("accepted").touches.is_empty());
        assert_eq!(moderated(&hidden, false).next, Some(review::Review { version: shown.version + 2, ..shown }));
        let verdict = review::Command::Moderate(protocol::moderation::Verdict { hidden: false, case_version: 9 });
        assert_eq!(decide(Some(&hidden), (author, Role::Admin), verdict).err(), Some(ErrorCode::Forbidden));
    }

    #[test]
    fn nobody_judges_what_is_their_own() {
        let (author, seller) = (UserId::new(), UserId::new());
        let new = |rating| NewReview { user_id: None, rating, title: None, review_text: None };
        let create =
            |by, rating| decide(None, (by, Role::User), review::Command::Create { product: ProductId::new(), seller, new: new(rating) });
        assert_eq!(create(seller, 5).err(), Some(ErrorCode::Forbidden));
        assert_eq!((create(author, 0).err(), create(author, 6).err()), (Some(ErrorCode::InvalidField), Some(ErrorCode::InvalidField)));
        assert_eq!(create(author, 5).expect("accepted").touches.len(), 2);
        let vote = |by, add| decide(Some(&a_review(author)), (by, Role::User), review::Command::Helpful(add));
        assert_eq!(vote(author, true).err(), Some(ErrorCode::Forbidden));
        assert_eq!(vote(seller, true).expect("accepted").next.map(|next| next.helpful_count), Some(3));
        assert_eq!(vote(seller, false).expect("accepted").next.map(|next| next.helpful_count), Some(1));
    }
}
