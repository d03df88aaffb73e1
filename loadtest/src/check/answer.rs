//! What an answer says about the read or the write that it answers.

use super::history::{Seen, Value};
use super::subject;
use super::timeline::Ending;
use crate::http::{Error, Labelled, Response};

/// What a read came to.
pub(super) enum ReadAnswer {
    Seen(Seen),
    Refused(u16),
    Unanswered(Ending),
    Unusable(String),
}

/// What a write came to.
pub(super) enum WriteAnswer {
    Acknowledged {
        version: u64,
    },
    /// Nothing was written.
    Refused(Ending),
    Unknown(Ending),
    Unusable(String),
}

impl ReadAnswer {
    pub(super) fn of(exchange: Result<Response<'_>, Error>) -> Self {
        let response = match exchange {
            Ok(response) => response,
            Err(fault) => return Self::Unanswered(ending_of(&fault)),
        };
        match response.status() {
            200 => match subject::version_of(&response) {
                Ok(version) => Self::Seen(seen(&response, version)),
                Err(why) => Self::Unusable(why),
            },
            404 | 410 => Self::Seen(Seen::Missing),
            status @ (429 | 500..=599) => Self::Refused(status),
            status => Self::Unusable(format!("a read was answered {status}")),
        }
    }

    /// How the attempt ended for whoever made it.
    pub(super) fn ending(&self) -> Ending {
        match self {
            Self::Seen(_) | Self::Unusable(_) => Ending::Served,
            Self::Refused(status) => Ending::Refused(*status),
            Self::Unanswered(ending) => *ending,
        }
    }
}

impl WriteAnswer {
    /// A 4xx says that nothing was written; 408 and 5xx leave it open.
    pub(super) fn of(exchange: Result<Response<'_>, Error>) -> Self {
        let response = match exchange {
            Ok(response) => response,
            // What was never sent was never written.
            Err(fault @ Error::Connect(_)) => return Self::Refused(ending_of(&fault)),
            Err(fault) => return Self::Unknown(ending_of(&fault)),
        };
        match response.status() {
            200 => match subject::version_of(&response) {
                Ok(version) => Self::Acknowledged { version },
                Err(why) => Self::Unusable(why),
            },
            status @ (408 | 500..=599) => Self::Unknown(Ending::Refused(status)),
            status @ (409 | 412 | 429) => Self::Refused(Ending::Refused(status)),
            status => Self::Unusable(format!("a write was answered {status}")),
        }
    }

    /// How the attempt ended for whoever made it.
    pub(super) fn ending(&self) -> Ending {
        match self {
            Self::Acknowledged { .. } | Self::Unusable(_) => Ending::Served,
            Self::Refused(ending) | Self::Unknown(ending) => *ending,
        }
    }
}

fn seen(response: &Response<'_>, version: u64) -> Seen {
    thread_local! {
        static FINDER: memchr::memmem::Finder<'static> = Value::finder();
    }
    let value = FINDER.with(|finder| Value::find(response.body(), finder));
    Seen::Version { version, value, labelled_stale: response.labelled() == Labelled::Stale }
}

fn ending_of(fault: &Error) -> Ending {
    match fault {
        Error::Connect(_) => Ending::NotConnected,
        Error::TimedOut => Ending::TimedOut,
        Error::Closed | Error::Io(_) | Error::Malformed(_) | Error::TooLarge => Ending::Broken,
    }
}
