//! Jobs that wait for a worker: each person's in their order, and people in turn, so that whoever sends a hundred photos delays nobody else.

use ractor::{
    Message,
    factory::{DiscardHandler, DiscardReason, Job, queues::Queue},
};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// Who a job is done for.
pub(super) type Person = u128;

/// A queue that gives a job of each person in turn.
pub(super) struct Fair<M: Message> {
    /// Whose turn it is, from the first on: everybody who has jobs, once.
    turns: VecDeque<Person>,
    jobs: HashMap<Person, VecDeque<Job<Person, M>>>,
    length: usize,
}

impl<M: Message> Default for Fair<M> {
    fn default() -> Self {
        Self { turns: VecDeque::new(), jobs: HashMap::new(), length: 0 }
    }
}

impl<M: Message> Queue<Person, M> for Fair<M> {
    fn len(&self) -> usize {
        self.length
    }

    fn is_empty(&self) -> bool {
        self.length == 0
    }

    fn pop_front(&mut self) -> Option<Job<Person, M>> {
        let person = self.turns.pop_front()?;
        let own = self.jobs.get_mut(&person)?;
        let job = own.pop_front()?;
        if own.is_empty() {
            self.jobs.remove(&person);
        } else {
            self.turns.push_back(person);
        }
        self.length -= 1;
        Some(job)
    }

    fn discard_oldest(&mut self) -> Option<Job<Person, M>> {
        self.pop_front()
    }

    fn peek(&self) -> Option<&Job<Person, M>> {
        self.jobs.get(self.turns.front()?)?.front()
    }

    fn push_back(&mut self, job: Job<Person, M>) {
        let own = self.jobs.entry(job.key).or_default();
        if own.is_empty() {
            self.turns.push_back(job.key);
        }
        own.push_back(job);
        self.length += 1;
    }

    fn remove_expired_items(&mut self, discard_handler: &Option<Arc<dyn DiscardHandler<Person, M>>>) -> usize {
        let before = self.length;
        for own in self.jobs.values_mut() {
            own.retain_mut(|job| {
                let is_expired = job.is_expired();
                if let (true, Some(handler)) = (is_expired, discard_handler) {
                    handler.discard(DiscardReason::TtlExpired, job);
                }
                !is_expired
            });
        }
        self.jobs.retain(|_, own| !own.is_empty());
        self.turns.retain(|person| self.jobs.contains_key(person));
        self.length = self.jobs.values().map(VecDeque::len).sum();
        before - self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ractor::factory::JobOptions;

    struct Numbered(u32);

    impl Message for Numbered {}

    fn drained(queue: &mut Fair<Numbered>) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop_front().map(|job| job.msg.0)).collect()
    }

    fn job(person: Person, number: u32) -> Job<Person, Numbered> {
        Job { key: person, msg: Numbered(number), options: JobOptions::default(), accepted: None }
    }

    #[test]
    fn people_take_turns_and_each_ones_jobs_stay_in_order() {
        let mut queue = Fair::default();
        for (person, number) in [(1, 10), (1, 11), (1, 12), (2, 20), (3, 30), (3, 31)] {
            queue.push_back(job(person, number));
        }
        assert_eq!((queue.len(), queue.peek().map(|job| job.msg.0)), (6, Some(10)));
        assert_eq!(drained(&mut queue), [10, 20, 30, 11, 31, 12]);
        assert!(queue.is_empty() && queue.peek().is_none() && queue.pop_front().is_none());
        queue.push_back(job(1, 13));
        assert_eq!(drained(&mut queue), [13], "whoever was done comes back");
    }

    #[test]
    fn what_is_too_old_goes_and_the_rest_stays_in_turn() {
        let mut queue = Fair::default();
        queue.push_back(Job { options: JobOptions::new(Some(std::time::Duration::ZERO)), ..job(1, 10) });
        queue.push_back(job(2, 20));
        queue.push_back(job(1, 11));
        while !queue.peek().is_some_and(Job::is_expired) {
            std::hint::spin_loop();
        }
        assert_eq!(queue.remove_expired_items(&None), 1);
        assert_eq!((queue.len(), drained(&mut queue)), (2, vec![11, 20]), "whose job went keeps their turn");
    }
}
