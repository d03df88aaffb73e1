//! The spans of what databases, Redis and object storage are asked: by OpenTelemetry's names, with the statements and without their values.

use crate::metric::Operation;
use std::fmt;
use tracing::{Span, debug_span, field};

/// Characters of a statement that a span shows.
const STATEMENT_MAX: usize = 4096;

/// What a database is asked.
pub(crate) fn statement(system: &'static str, database: &'static str, operation: Operation) -> Span {
    debug_span!(
        "statement",
        otel.name = %format_args!("{} {database}", operation.name()),
        otel.kind = "client",
        db.system.name = system,
        db.namespace = database,
        db.operation.name = operation.name(),
        db.query.text = field::Empty,
    )
}

/// What it is in SQL, for the span that this is called in.
pub(crate) fn sql<'s>(statements: impl Iterator<Item = &'s str> + Clone) {
    let span = Span::current();
    if !span.is_disabled() {
        span.record("db.query.text", field::display(Statements(statements)));
    }
}

/// Statements on one line, each without the spaces that it has in our files.
struct Statements<I>(I);

impl<'s, I: Iterator<Item = &'s str> + Clone> fmt::Display for Statements<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut room, mut separator) = (STATEMENT_MAX, "");
        for statement in self.0.clone() {
            for word in statement.split_whitespace() {
                let Some(left) = room.checked_sub(separator.len() + word.len()) else { return f.write_str(" …") };
                write!(f, "{separator}{word}")?;
                (room, separator) = (left, " ");
            }
            separator = "; ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_shown_on_one_line_and_not_without_end() {
        let shown = |statements: &[&str]| Statements(statements.iter().copied()).to_string();
        assert_eq!(shown(&["SELECT a\n             FROM b", "COMMIT"]), "SELECT a FROM b; COMMIT");
        let long = shown(&[&"word ".repeat(10_000)]);
        assert!(long.len() < STATEMENT_MAX + 8 && long.ends_with("word …"), "{}", long.len());
    }
}
