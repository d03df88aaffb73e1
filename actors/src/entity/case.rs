//! Moderation's cases: flags, decisions, appeals. The case decides whether the thing is hidden; that reaches the thing's owner as an effect of the
//! case's commit, before whoever decided is answered.

use super::{Asked, Decision, Entity, Plan, QueryError, family, json, touch};
use crate::{node::Node, visibility::moderates};
use protocol::{
    Audience, Command, ErrorCode, Fact, FlagId, Kind, Outcome, Query, Refusal, Reply, Role, UserId, View,
    audit::{Entry, action},
    moderation::{
        self, Action, Appeal, CaseRecord, Decided, FLAGS_SHOWN_MAX, Flag, Flagged, NewAppeal, NewDecision, Reason, Status, Target,
        TargetType,
    },
    user::may_set_active,
};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};
use store::{Expect, StoreError, Touch, UsersWrite, Write};
use uuid::Uuid;

/// The owner of cases.
pub struct Case;

impl Entity for Case {
    const KIND: Kind = Kind::Case;
    type State = moderation::Case;
    type Command = moderation::Command;

    fn command(command: Command) -> Option<moderation::Command> {
        if let Command::Case(command) = command { Some(command) } else { None }
    }

    async fn load(node: &Arc<Node>, id: Uuid) -> Result<Option<moderation::Case>, StoreError> {
        node.stores.users.case(id).await
    }

    fn version(state: &moderation::Case) -> u64 {
        state.version
    }

    fn bytes(state: &moderation::Case) -> usize {
        let notes = [state.decided.as_ref().and_then(|d| d.note.as_ref()), state.appeal.as_ref().map(|appeal| &appeal.note)];
        size_of::<moderation::Case>() + notes.into_iter().flatten().map(String::len).sum::<usize>()
    }

    fn view(state: &moderation::Case) -> View {
        let fact = Fact::Case { target: state.target, author: state.author };
        View { version: state.version, audience: Audience::Platform, body: json(&state.public()), fact }
    }

    async fn query(node: &Arc<Node>, id: Uuid, state: Arc<moderation::Case>, query: Query) -> Result<View, QueryError> {
        if query != Query::CaseRecord {
            return Err(QueryError::unknown());
        }
        let reports = node.stores.users.flags(id, FLAGS_SHOWN_MAX).await?;
        let body = json(&CaseRecord { decided_by: state.decided.as_ref().map(|decided| decided.by), reports });
        Ok(View { version: state.version, audience: Audience::Platform, body, fact: Fact::None })
    }

    fn decide(
        state: Option<&moderation::Case>,
        asked: &Asked,
        command: moderation::Command,
    ) -> Result<Decision<moderation::Case>, Refusal> {
        match command {
            moderation::Command::Flag { target, author, reason, note } => flag(state, asked, (target, author), (reason, note)),
            moderation::Command::Decide { decision, author_rank, from } => {
                decide(state.ok_or(ErrorCode::NotFound)?, asked, decision, (author_rank, from))
            }
            moderation::Command::Appeal(new) => appeal(state.ok_or(ErrorCode::NotFound)?, asked, new),
        }
    }
}

/// Adds a flag; whether the person has flagged the thing already only the store knows.
fn flag(
    state: Option<&moderation::Case>,
    asked: &Asked,
    (target, author): (Target, UserId),
    (reason, note): (Reason, Option<String>),
) -> Result<Decision<moderation::Case>, Refusal> {
    let reporter_id = asked.user()?;
    if target.id() != asked.id {
        return Err(ErrorCode::BadFrame.into());
    }
    if reporter_id == author {
        return Err(Refusal::new(ErrorCode::Forbidden, "nobody flags what is their own"));
    }
    let next = match state {
        // It was hidden since the reporter saw it.
        Some(case) if case.hidden => return Err(ErrorCode::NotFound.into()),
        Some(case) if case.status == Status::Open => {
            let mut reasons = case.reasons.clone();
            *reasons.entry(reason).or_default() += 1;
            moderation::Case { flags: case.flags.saturating_add(1), reasons, ..next(case, asked) }
        }
        Some(case) => {
            let reasons = BTreeMap::from([(reason, 1)]);
            moderation::Case { status: Status::Open, flags: 1, reasons, opened_at: asked.now, ..next(case, asked) }
        }
        None => moderation::Case {
            target,
            author,
            status: Status::Open,
            hidden: false,
            flags: 1,
            reasons: BTreeMap::from([(reason, 1)]),
            decided: None,
            appeal: None,
            opened_at: asked.now,
            created_at: asked.now,
            updated_at: asked.now,
            version: 1,
        },
    };
    let mut touches = vec![touch(Kind::CaseList, family::CASES)];
    if state.is_none() {
        touches.push(touch(Kind::CaseList, author));
    }
    let body = json(&Flagged { id: asked.id, target_type: target.target_type(), target_id: asked.id, flagged: true });
    let reply = Reply { outcome: Outcome::Created, version: 0, body };
    let unchanged = Some(Reply { outcome: Outcome::Done, ..reply.clone() });
    let flag = Flag { id: FlagId::new(), reporter_id, reason, note, created_at: asked.now };
    let write = Write::Users(UsersWrite::Flag { case: Box::new(next.clone()), flag });
    Ok(Plan { write, expect: Expect::Row, touches, next: Some(next), reply, unchanged }.into())
}

/// A decision is carried out also where it changes nothing but its note: an earlier one may not have reached the thing's owner yet.
fn decide(
    case: &moderation::Case,
    asked: &Asked,
    NewDecision { action, note }: NewDecision,
    (author_rank, from): (Role, Option<IpAddr>),
) -> Result<Decision<moderation::Case>, Refusal> {
    if !moderates(&asked.principal) {
        return Err(ErrorCode::Forbidden.into());
    }
    // Hiding somebody is a ban, and hiding what they say is no smaller matter.
    may_set_active(&asked.principal, case.author, author_rank)?;
    let by = asked.user()?;
    let (status, hidden) = match action {
        Action::Hide => (Status::Hidden, true),
        Action::Restore if case.hidden => (Status::Restored, false),
        Action::Restore => return Err(Refusal::new(ErrorCode::Conflict, "it is not hidden")),
        Action::Dismiss if case.status != Status::Open => return Err(Refusal::new(ErrorCode::Conflict, "the case is not open")),
        Action::Dismiss if case.hidden => (Status::Hidden, true),
        Action::Dismiss => (Status::Dismissed, false),
    };
    // Each hiding may be appealed against anew.
    let appeal = if hidden && !case.hidden { None } else { case.appeal.clone() };
    let decided = Some(Decided { by, note: note.clone(), at: asked.now });
    let next = moderation::Case { status, hidden, decided, appeal, ..next(case, asked) };
    let entry =
        Entry::new(Some(by), &action_name(case.target.target_type(), action), (case.target.target_type().name(), asked.id), asked.now);
    let entry = note.into_iter().fold(entry.from(from), |entry, note| entry.with("reason", note));
    let mut touches = vec![touch(Kind::CaseList, family::CASES), Touch::Audit(Box::new(entry))];
    if action != Action::Dismiss {
        touches.push(Touch::Verdict(asked.id));
    }
    Ok(plan(UsersWrite::Decide, touches, next, Outcome::Done))
}

/// The decision's name in the audit log.
fn action_name(target: TargetType, decided: Action) -> String {
    match (target, decided) {
        (TargetType::User, Action::Hide) => action::BAN.to_owned(),
        (TargetType::User, Action::Restore) => action::UNBAN.to_owned(),
        (target, decided) => format!("{}.{}", target.name(), decided.name()),
    }
}

fn appeal(case: &moderation::Case, asked: &Asked, NewAppeal { note }: NewAppeal) -> Result<Decision<moderation::Case>, Refusal> {
    asked.only(case.author)?;
    if !case.hidden {
        return Err(Refusal::new(ErrorCode::Conflict, "only what is hidden is appealed against"));
    }
    if case.appeal.is_some() {
        return Err(Refusal::new(ErrorCode::Conflict, "each hiding is appealed against once"));
    }
    let appeal = Some(Appeal { note, created_at: asked.now });
    let next = moderation::Case { status: Status::Open, appeal, opened_at: asked.now, ..next(case, asked) };
    Ok(plan(UsersWrite::SaveCase, vec![touch(Kind::CaseList, family::CASES)], next, Outcome::Created))
}

fn next(case: &moderation::Case, asked: &Asked) -> moderation::Case {
    moderation::Case { updated_at: asked.now, version: case.version + 1, ..case.clone() }
}

fn plan(
    write: fn(Box<moderation::Case>) -> UsersWrite,
    touches: Vec<Touch>,
    next: moderation::Case,
    outcome: Outcome,
) -> Decision<moderation::Case> {
    let reply = Reply { outcome, version: next.version, body: json(&next.public()) };
    let write = Write::Users(write(Box::new(next.clone())));
    Plan { write, expect: Expect::Row, touches, next: Some(next), reply, unchanged: None }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{PostId, Principal, Timestamp};

    struct Court {
        author: UserId,
        target: Target,
        at: i64,
        case: Option<moderation::Case>,
    }

    fn court() -> Court {
        Court { author: UserId::new(), target: Target::Post(PostId::new()), at: 1000, case: None }
    }

    impl Court {
        fn ask(&mut self, principal: Principal, command: moderation::Command) -> Result<Plan<moderation::Case>, ErrorCode> {
            self.at += 1;
            let asked = Asked { id: self.target.id(), principal, now: Timestamp(self.at), quota: protocol::file::Quota::NONE };
            match Case::decide(self.case.as_ref(), &asked, command) {
                Ok(Decision::Commit(plan)) => {
                    self.case = plan.next.clone();
                    Ok(*plan)
                }
                Ok(Decision::Answer(_)) => panic!("each command is committed"),
                Err(refusal) => Err(refusal.code),
            }
        }

        fn flag(&mut self, by: Principal) -> Result<Plan<moderation::Case>, ErrorCode> {
            let (target, author) = (self.target, self.author);
            self.ask(by, moderation::Command::Flag { target, author, reason: Reason::Spam, note: None })
        }

        fn decide(&mut self, by: Principal, action: Action, author_rank: Role) -> Result<Plan<moderation::Case>, ErrorCode> {
            self.ask(by, moderation::Command::Decide { decision: NewDecision { action, note: None }, author_rank, from: None })
        }

        fn appeal(&mut self, by: Principal) -> Result<Plan<moderation::Case>, ErrorCode> {
            self.ask(by, moderation::Command::Appeal(NewAppeal { note: "please".into() }))
        }

        fn stands(&self) -> (Status, bool, u32) {
            let case = self.case.as_ref().expect("a case");
            (case.status, case.hidden, case.flags)
        }
    }

    fn somebody(role: Role) -> Principal {
        Principal::User { id: UserId::new(), role }
    }

    fn tells_the_owner(plan: &Plan<moderation::Case>) -> bool {
        plan.touches.iter().any(|touch| matches!(touch, Touch::Verdict(_)))
    }

    #[test]
    fn flags_add_up_until_a_decision_and_begin_anew_after_it() {
        let (mut court, moderator) = (court(), somebody(Role::Moderator));
        assert_eq!(court.decide(moderator, Action::Hide, Role::User).err(), Some(ErrorCode::NotFound));
        court.flag(somebody(Role::User)).expect("flagged");
        let opened = court.case.as_ref().expect("a case").opened_at;
        assert!(!tells_the_owner(&court.flag(somebody(Role::User)).expect("flagged")));
        assert_eq!(court.stands(), (Status::Open, false, 2));
        assert_eq!(court.case.as_ref().expect("a case").opened_at, opened, "it waits since the first");
        court.decide(moderator, Action::Dismiss, Role::User).expect("decided");
        assert_eq!(court.stands(), (Status::Dismissed, false, 2));
        assert_eq!(court.decide(moderator, Action::Dismiss, Role::User).err(), Some(ErrorCode::Conflict));
        court.flag(somebody(Role::User)).expect("flagged");
        assert_eq!(court.stands(), (Status::Open, false, 1));
        assert!(court.case.as_ref().expect("a case").opened_at > opened);
    }

    #[test]
    fn nobody_flags_their_own_or_what_is_hidden() {
        let mut court = court();
        let author = Principal::User { id: court.author, role: Role::User };
        assert_eq!(court.flag(author).err(), Some(ErrorCode::Forbidden));
        assert_eq!(court.flag(Principal::Anonymous).err(), Some(ErrorCode::Unauthenticated));
        court.flag(somebody(Role::User)).expect("flagged");
        court.decide(somebody(Role::Moderator), Action::Hide, Role::User).expect("hidden");
        assert_eq!(court.flag(somebody(Role::User)).err(), Some(ErrorCode::NotFound));
    }

    #[test]
    fn a_hiding_is_appealed_against_once() {
        let mut court = court();
        let (author, moderator) = (Principal::User { id: court.author, role: Role::User }, somebody(Role::Moderator));
        court.flag(somebody(Role::User)).expect("flagged");
        assert_eq!(court.appeal(author).err(), Some(ErrorCode::Conflict), "it is not hidden");
        assert_eq!(court.decide(moderator, Action::Restore, Role::User).err(), Some(ErrorCode::Conflict));
        assert!(tells_the_owner(&court.decide(moderator, Action::Hide, Role::User).expect("hidden")));
        assert_eq!(court.appeal(somebody(Role::Admin)).err(), Some(ErrorCode::Forbidden));
        court.appeal(author).expect("appealed");
        assert_eq!(court.stands(), (Status::Open, true, 1));
        court.decide(moderator, Action::Dismiss, Role::User).expect("rejected");
        assert_eq!(court.stands(), (Status::Hidden, true, 1));
        assert_eq!(court.appeal(author).err(), Some(ErrorCode::Conflict), "once is enough");
        assert!(tells_the_owner(&court.decide(moderator, Action::Restore, Role::User).expect("restored")));
        assert_eq!(court.stands(), (Status::Restored, false, 1));
        court.decide(moderator, Action::Hide, Role::User).expect("hidden again");
        court.appeal(author).expect("another hiding, another appeal");
    }

    #[test]
    fn only_who_outranks_the_author_decides_and_each_decision_is_logged() {
        let roles = [Role::User, Role::Moderator, Role::Admin];
        for (by, rank) in roles.into_iter().flat_map(|by| roles.map(move |rank| (by, rank))) {
            for action in [Action::Hide, Action::Dismiss] {
                let mut court = court();
                court.flag(somebody(Role::User)).expect("flagged");
                let own = Principal::User { id: court.author, role: by };
                assert_eq!(court.decide(own, action, rank).err(), Some(ErrorCode::Forbidden), "nobody decides on their own");
                let decided = court.decide(somebody(by), action, rank);
                assert_eq!(decided.is_ok(), by >= Role::Moderator && by > rank, "{by:?} decides on what is a {rank:?}'s");
                let logged = decided.ok().map(|plan| plan.touches.iter().filter(|touch| matches!(touch, Touch::Audit(_))).count());
                assert!(logged.is_none_or(|entries| entries == 1));
            }
        }
    }
}
