//! Whose counter stands still: the failure detector that kills nobody in an outage.

use crate::timing::{Moment, RENEWAL_GAP_MAX_MS, STANDSTILL_MS, WATCHED_MAX};
use crate::view::{Boot, Member, View};
use std::collections::BTreeMap;

/// The counters of a few others, and since when each stands at what it was last seen at.
///
/// A counter's time is counted from when its value was first known here, which is later than when it was written. And it is counted only over a time
/// in which this node's own renewals went through without a gap: while the database is away from this node it may be away from everybody, so after that
/// every counter gets its whole time again.
#[derive(Default)]
pub(crate) struct Watch {
    seen: BTreeMap<Boot, Seen>,
    renewed_at: Option<Moment>,
}

struct Seen {
    counter: u64,
    since: Moment,
}

impl Watch {
    /// Those that a node watches: the next ones on the ring of boots.
    pub(crate) fn watched(view: &View, me: Boot) -> Vec<Boot> {
        let watched = |member: &&Member| member.boot != me && view.is_watched(member);
        let (before, after) = view.members().split_at(view.members().partition_point(|member| member.boot < me));
        after.iter().chain(before).filter(watched).map(|member| member.boot).take(WATCHED_MAX).collect()
    }

    /// A renewal went through, and said where others stand.
    pub(crate) fn renewed(&mut self, now: Moment, counters: Vec<(Boot, u64)>) {
        if self.renewed_at.is_none_or(|last| now.since(last) > RENEWAL_GAP_MAX_MS) {
            self.seen.clear();
        }
        self.renewed_at = Some(now);
        let before = std::mem::take(&mut self.seen);
        let since = |boot: Boot, counter: u64| before.get(&boot).filter(|seen| seen.counter == counter).map_or(now, |seen| seen.since);
        self.seen = counters.into_iter().map(|(boot, counter)| (boot, Seen { counter, since: since(boot, counter) })).collect();
    }

    /// It turned out that a counter had moved.
    pub(crate) fn moved(&mut self, boot: Boot) {
        self.seen.remove(&boot);
    }

    /// Somebody who stood still for long enough, and where. That they still do is for the store to compare.
    pub(crate) fn expired(&self, now: Moment) -> Option<(Boot, u64)> {
        self.renewed_at.filter(|last| now.since(*last) <= RENEWAL_GAP_MAX_MS)?;
        let expired = |(_, seen): &(&Boot, &Seen)| now.since(seen.since) >= STANDSTILL_MS;
        self.seen.iter().find(expired).map(|(boot, seen)| (*boot, seen.counter))
    }

    /// When the next one would have stood still for long enough.
    pub(crate) fn due(&self) -> Option<Moment> {
        self.seen.values().map(|seen| seen.since.after(STANDSTILL_MS)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{Death, Roles, Status};
    use uuid::Uuid;

    fn boot(n: u128) -> Boot {
        Boot(Uuid::from_u128(n))
    }

    /// Renews each second from `from_s` to `to_s`, seeing the counter that `counter` says.
    fn renew(watch: &mut Watch, from_s: u64, to_s: u64, counter: impl Fn(u64) -> u64) {
        for second in from_s..=to_s {
            watch.renewed(Moment(second * 1000), vec![(boot(1), counter(second))]);
        }
    }

    #[test]
    fn a_counter_that_stands_still_is_found_after_four_seconds() {
        let mut watch = Watch::default();
        renew(&mut watch, 1, 6, |second| second.min(3));
        assert_eq!(watch.expired(Moment(6_999)), None);
        assert_eq!(watch.due(), Some(Moment(7_000)));
        assert_eq!(watch.expired(Moment(7_000)), Some((boot(1), 3)));
        watch.moved(boot(1));
        assert_eq!(watch.expired(Moment(7_000)), None);
    }

    #[test]
    fn time_without_own_renewals_does_not_count() {
        let mut gap = Watch::default();
        renew(&mut gap, 1, 2, |_| 7);
        assert_eq!(gap.expired(Moment(9_000)), None, "who does not reach the database says nothing of others");
        renew(&mut gap, 9, 12, |_| 7);
        assert_eq!(gap.expired(Moment(12_999)), None);
        assert_eq!(gap.expired(Moment(13_000)), Some((boot(1), 7)));
    }

    #[test]
    fn everybody_is_watched_by_the_eight_before_them_on_the_ring() {
        let member = |n: u128| {
            let status = if n == 3 { Status::Dead(Death::Expired) } else { Status::Up };
            Member { boot: boot(n), born: 1, roles: Roles::ALL, address: "".into(), status, accuses: Vec::new() }
        };
        let mut view = View::empty(1);
        view.read(1, (1..=20).map(member).collect());
        assert_eq!(Watch::watched(&view, boot(1)), [2, 4, 5, 6, 7, 8, 9, 10].map(boot));
        assert_eq!(Watch::watched(&view, boot(18)), [19, 20, 1, 2, 4, 5, 6, 7].map(boot));
        let mut view = View::empty(1);
        view.read(1, (1..=2).map(member).collect());
        assert_eq!(Watch::watched(&view, boot(1)), [boot(2)]);
    }
}
