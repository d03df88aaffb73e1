//! Who may see what: one pure function for every read.

use protocol::{Audience, Principal, Role, UserId, follow::Relations};

/// Whether `viewer` may see a view for `audience`. `relations` are the viewer's own; without them nobody's friend.
#[must_use]
pub fn visible(viewer: Option<UserId>, relations: Option<&Relations>, audience: Audience) -> bool {
    match audience {
        Audience::Everyone => true,
        Audience::Friends(author) => viewer == Some(author) || (viewer.is_some() && relations.is_some_and(|r| r.is_friend(author))),
        Audience::Only(owner) => viewer == Some(owner),
        Audience::Gone | Audience::Platform => false,
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

    #[test]
    fn each_audience_admits_whom_it_names() {
        let (author, friend, follower, stranger) = (UserId::new(), UserId::new(), UserId::new(), UserId::new());
        let of = |friends: &[UserId]| Relations { following: vec![author], friends: friends.to_vec(), ..Relations::default() };
        let (friendly, following, none) = (of(&[author]), of(&[]), Relations::default());
        let sees = |viewer, relations, audience| visible(viewer, relations, audience);
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
}
