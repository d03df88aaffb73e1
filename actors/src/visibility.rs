//! Who may see what: one pure function for every read.

use protocol::{Audience, Principal, Role, UserId, View, follow::Relations};
use std::collections::HashSet;

/// What decides what somebody sees, beside the thing that is looked at.
#[derive(Clone, Copy)]
pub struct Onlooker<'a> {
    /// Who looks; `None` if nobody is signed in.
    pub viewer: Option<UserId>,
    /// The viewer's own relations. Without them the viewer is nobody's friend, and nobody is hidden from them.
    pub relations: Option<&'a Relations>,
    /// Those whom the platform hides from everybody.
    pub inactive: &'a HashSet<UserId>,
}

impl Onlooker<'_> {
    /// Whether the onlooker may see a view: its audience admits them, and so does whoever is behind it.
    #[must_use]
    pub fn sees(&self, view: &View) -> bool {
        view.fact.by().is_none_or(|person| self.knows_of(person)) && self.is_admitted(view.audience)
    }

    /// Whether the onlooker may know of a person and of what is theirs: the person is active, and there is no block between the two.
    #[must_use]
    pub fn knows_of(&self, person: UserId) -> bool {
        // Most people's lists are empty: that is looked at first.
        let hidden = self.relations.is_some_and(|r| !r.hidden.is_empty() && r.is_hidden(person));
        !hidden && (self.inactive.is_empty() || !self.inactive.contains(&person))
    }

    fn is_admitted(&self, audience: Audience) -> bool {
        match audience {
            Audience::Everyone => true,
            Audience::Friends(author) => {
                self.viewer == Some(author) || (self.viewer.is_some() && self.relations.is_some_and(|r| r.is_friend(author)))
            }
            Audience::Only(owner) => self.viewer == Some(owner),
            Audience::Gone | Audience::Platform => false,
        }
    }
}

/// Whether `principal` may moderate: hide, delete, ban.
#[must_use]
pub fn moderates(principal: &Principal) -> bool {
    match principal {
        Principal::Platform => true,
        Principal::User { role, .. } => *role >= Role::Moderator,
        Principal::Anonymous => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Fact;

    fn view(audience: Audience, by: Option<UserId>) -> View {
        View { version: 1, audience, body: bytes::Bytes::new(), fact: by.map_or(Fact::None, Fact::By) }
    }

    #[test]
    fn each_audience_admits_whom_it_names() {
        let (author, friend, follower, stranger) = (UserId::new(), UserId::new(), UserId::new(), UserId::new());
        let of = |friends: &[UserId]| Relations { following: vec![author], friends: friends.to_vec(), ..Relations::default() };
        let (friendly, following, none) = (of(&[author]), of(&[]), Relations::default());
        let sees = |viewer, relations, audience| Onlooker { viewer, relations, inactive: &HashSet::new() }.sees(&view(audience, None));
        assert!(sees(None, None, Audience::Everyone));
        assert!(sees(Some(friend), Some(&friendly), Audience::Friends(author)));
        assert!(sees(Some(author), None, Audience::Friends(author)));
        assert!(!sees(Some(follower), Some(&following), Audience::Friends(author)));
        assert!(!sees(None, Some(&friendly), Audience::Friends(author)));
        assert!(sees(Some(author), None, Audience::Only(author)));
        assert!(!sees(Some(friend), Some(&friendly), Audience::Only(author)));
        assert!(!sees(Some(stranger), Some(&none), Audience::Only(author)));
        assert!(!sees(Some(author), None, Audience::Gone));
        assert!(!sees(Some(author), None, Audience::Platform));
    }

    #[test]
    fn what_is_by_somebody_hidden_is_hidden() {
        let (author, other) = (UserId::new(), UserId::new());
        let apart = Relations { hidden: vec![author], ..Relations::default() };
        let (nobody, banned) = (HashSet::new(), HashSet::from([author]));
        let sees =
            |relations, inactive, by| Onlooker { viewer: Some(other), relations, inactive }.sees(&view(Audience::Everyone, Some(by)));
        assert!(sees(None, &nobody, author));
        assert!(!sees(Some(&apart), &nobody, author) && sees(Some(&apart), &nobody, other));
        assert!(!sees(None, &banned, author) && sees(None, &banned, other));
    }
}
