//! What a fault does to the world.

use super::{Happening, World};
use crate::process::Input;
use crate::scenario::Fault;
use crate::weather::Micros;
use cluster::Event;
use protocol::Slot;

impl World {
    fn living(&self, node: u8) -> Option<usize> {
        let living: Vec<_> = (0..self.hosts.len()).filter(|at| self.hosts[*at].lives()).collect();
        (!living.is_empty()).then(|| living[usize::from(node) % living.len()])
    }

    pub(super) fn befall(&mut self, fault: &Fault) {
        let until = self.now + Micros::from(fault.for_ms()) * 1_000;
        let node = |node: u8| self.living(node);
        match *fault {
            Fault::Crash { node: which, .. } => {
                if let Some(at) = node(which) {
                    self.hosts[at].ended = Some(self.now);
                    self.hosts[at].excused = true;
                    self.at(until, Happening::Start);
                }
            }
            Fault::Hang { node: which, for_ms } => {
                if let Some(at) = node(which) {
                    let host = &mut self.hosts[at];
                    host.hung_until = until.max(host.hung_until);
                    host.excused |= for_ms > 1_000;
                    self.at(until, Happening::Continue(at));
                }
            }
            Fault::StoreDown { refuses, .. } => self.weather.store_down(until, refuses),
            Fault::StoreCut { node: which, .. } => {
                if let Some(at) = node(which) {
                    self.weather.store_cut(at, until);
                    self.hosts[at].excused = true;
                }
            }
            Fault::StoreSlow { up_to_ms, .. } => self.weather.store_slow(until, up_to_ms),
            Fault::LoseAnswers { per_mille, .. } => self.weather.lose_answers(until, per_mille),
            Fault::LateStatements { per_mille, .. } => {
                self.weather.late_statements(until, per_mille);
                self.judge.excuse_all();
            }
            Fault::Cut { from, to, both, .. } => {
                if let (Some(from), Some(to)) = (node(from), node(to)) {
                    self.cut(from, to, until);
                    if both {
                        self.cut(to, from, until);
                    }
                }
            }
            Fault::Split { mask, .. } => {
                let side = |at: usize| mask >> (at % 8) & 1;
                let living: Vec<_> = (0..self.hosts.len()).filter(|at| self.hosts[*at].lives()).collect();
                let pairs = living.iter().flat_map(|a| living.iter().map(move |b| (*a, *b))).filter(|(a, b)| side(*a) != side(*b));
                pairs.collect::<Vec<_>>().into_iter().for_each(|(a, b)| self.cut(a, b, until));
            }
            Fault::Weather { .. } => self.weather.network(until),
            Fault::Busy { node: which, .. } => {
                if let Some(at) = node(which) {
                    self.weather.busy(at, until);
                }
            }
            Fault::Join => self.at(self.now, Happening::Start),
            Fault::Drain { node: which } => {
                // The last node stays: nobody would own anything.
                let staying = self.hosts.iter().filter(|host| host.lives() && !host.leaving).count();
                if let Some(at) = node(which).filter(|at| staying > 1 && !self.hosts[*at].leaving) {
                    self.hosts[at].leaving = true;
                    self.at(self.now, Happening::Told(at, Input::Event(Event::Drain)));
                }
            }
            Fault::RestartOwner { node: which, slot } => {
                if let Some(at) = node(which) {
                    self.at(self.now, Happening::Told(at, Input::RestartOwner(usize::from(slot))));
                }
            }
            Fault::JumpAhead { slot } => {
                if let Some(slot) = Slot::new(slot) {
                    self.domain.jump_ahead(slot, 1_000);
                }
            }
        }
    }

    fn cut(&mut self, from: usize, to: usize, until: Micros) {
        self.weather.cut(from, to, until);
        self.hosts[from].excused = true;
        self.hosts[to].excused = true;
    }
}
