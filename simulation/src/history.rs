//! What clients saw, and whether they may have.

use crate::domain::{Domain, Row, Value};
use crate::owner::{Ask, Op, Reply};

/// A client: one op at a time, one session.
pub(crate) struct Client {
    under_way: Option<Asked>,
    /// The highest version of each key that this session saw.
    floors: Vec<u32>,
}

/// An op with what was acknowledged when it began.
#[derive(Clone, Copy)]
struct Asked {
    op: Op,
    acknowledged: u32,
    shown: u32,
}

/// All clients, and what was promised to them.
pub(crate) struct History {
    clients: Vec<Client>,
    /// The highest version of each key that was acknowledged.
    acknowledged: Vec<u32>,
    /// The highest version of each key that anybody was answered.
    shown: Vec<u32>,
    /// Numbers ops and values.
    last: u32,
    pub(crate) reads: u32,
    pub(crate) writes: u32,
    pub(crate) indeterminate: u32,
}

impl History {
    pub(crate) fn new(clients: usize, keys: usize) -> Self {
        let client = || Client { under_way: None, floors: vec![0; keys] };
        Self {
            clients: (0..clients).map(|_| client()).collect(),
            acknowledged: vec![0; keys],
            shown: vec![0; keys],
            last: 0,
            reads: 0,
            writes: 0,
            indeterminate: 0,
        }
    }

    /// A client asks. An op that it still waited for has timed out: nobody will know.
    pub(crate) fn ask(&mut self, client: usize, key: usize, write: bool) -> Op {
        self.last += 1;
        let ask = if write { Ask::Write { value: self.last } } else { Ask::Read };
        let op = Op { id: self.last, key, ask };
        let asked = Asked { op, acknowledged: self.acknowledged[key], shown: self.shown[key] };
        if self.clients[client].under_way.replace(asked).is_some() {
            self.indeterminate += 1;
        }
        op
    }

    pub(crate) fn waits_for(&self, client: usize, id: u32) -> bool {
        self.clients[client].under_way.is_some_and(|asked| asked.op.id == id)
    }

    /// An op was answered; `None` if nobody waits for it any more, else the client. An error if the answer is a lie.
    pub(crate) fn answer(&mut self, id: u32, reply: Reply, domain: &Domain) -> Result<Option<usize>, String> {
        let waits = |client: &Client| client.under_way.is_some_and(|asked| asked.op.id == id);
        let Some(at) = self.clients.iter().position(waits) else { return Ok(None) };
        let Some(Asked { op, acknowledged, shown }) = self.clients[at].under_way.take() else { return Ok(None) };
        let floor = &mut self.clients[at].floors[op.key];
        match (op.ask, reply) {
            (Ask::Write { value }, Reply::Acked(version)) => {
                self.writes += 1;
                stored(op.key, Row { version, value }, domain)?;
                *floor = version.max(*floor);
                self.acknowledged[op.key] = self.acknowledged[op.key].max(version);
            }
            (Ask::Read, Reply::Value(row) | Reply::Stored(row)) => {
                self.reads += 1;
                stored(op.key, row, domain)?;
                if row.version < acknowledged {
                    return Err(format!(
                        "op {id} read version {} of key {}, but {acknowledged} was acknowledged before it began",
                        row.version, op.key
                    ));
                }
                if row.version < *floor {
                    return Err(format!("op {id} read version {} of key {}, but its session has seen {floor}", row.version, op.key));
                }
                *floor = row.version;
                // Wherever it was read.
                if row.version < shown {
                    return Err(format!(
                        "op {id} read version {} of key {}, but somebody was shown {shown} before it began",
                        row.version, op.key
                    ));
                }
                self.shown[op.key] = self.shown[op.key].max(row.version);
            }
            _ => self.indeterminate += 1,
        }
        Ok(Some(at))
    }
}

/// The audit table knows every version that was ever told of, by the value that was told of.
fn stored(key: usize, Row { version, value }: Row, domain: &Domain) -> Result<(), String> {
    let stored: Option<Value> = domain.at(key, version);
    if stored == Some(value) { Ok(()) } else { Err(format!("version {version} of key {key} was told to be {value}, and is {stored:?}")) }
}
