//! A transaction in one round trip: all of it is sent without waiting for an answer in between.

use super::connection::Connection;
use futures_util::future::{MaybeDone, maybe_done};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row, Statement};

/// Why there are no answers. The connection is given up.
pub(super) enum Lost {
    /// It was not sent as a whole, and its COMMIT not at all: nothing was written.
    NotSent(Error),
    /// They did not come in time. It may have been carried out, or be still.
    Silent,
}

/// Sends `begin`, the statements with their values, and COMMIT, and waits for the answers to all of them, in this order. A statement that fails has
/// the server refuse everything behind it and turn the COMMIT into a rollback.
pub(super) async fn transact<'s>(
    connection: &'s Connection,
    begin: &'static str,
    statements: impl Iterator<Item = (&'s Statement, &'s Vec<&'s (dyn ToSql + Sync)>)>,
) -> Result<Vec<Result<Vec<Row>, Error>>, Lost> {
    let client = connection.client();
    let mut sent: Vec<MaybeDone<Answer<'_>>> = Vec::with_capacity(statements.size_hint().0 + 2);
    sent.push(maybe_done(Box::pin(async { client.batch_execute(begin).await.map(|()| Vec::new()) })));
    for (statement, values) in statements {
        sent.push(maybe_done(Box::pin(async move { client.query(statement, values).await })));
    }
    sent.push(maybe_done(Box::pin(async { client.batch_execute("COMMIT").await.map(|()| Vec::new()) })));
    if let Some(error) = send(&mut sent).await {
        drop(sent);
        // The transaction is open there, and ends with the connection.
        connection.give_up();
        return Err(Lost::NotSent(error));
    }
    let answered = tokio::time::timeout(connection.patience(), all(&mut sent)).await;
    drop(sent);
    let Ok(answers) = answered else {
        connection.give_up();
        return Err(Lost::Silent);
    };
    if let Some(error) = answers.iter().find_map(|answer| answer.as_ref().err()) {
        connection.note(error);
    }
    Ok(answers)
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Vec<Row>, Error>> + Send + 'a>>;

/// Sends all in order: a request is sent when it is first polled. One that fails here, because a value is not of its statement's type or the
/// connection is gone, was not sent at all. Then nothing behind it may be, the COMMIT least of all.
///
/// What the server says is an answer like any other, however soon it comes: it may be there by the end of the first poll, where the system took its
/// time with this thread. And of a COMMIT only its answer is heard: one that fails for another reason may have been sent before.
async fn send(requests: &mut [MaybeDone<Answer<'_>>]) -> Option<Error> {
    let commit_place = requests.len().saturating_sub(1);
    for place in 0..requests.len() {
        let mut request = Pin::new(&mut requests[place]);
        poll_fn(|context| {
            let _ = request.as_mut().poll(context);
            Poll::Ready(())
        })
        .await;
        let is_not_sent = |answer: &mut Result<_, Error>| answer.as_ref().is_err_and(|error| error.as_db_error().is_none());
        if place < commit_place && request.output_mut().is_some_and(is_not_sent) {
            // Whatever failed first is the cause.
            return requests.iter_mut().find_map(|request| Pin::new(request).take_output().and_then(Result::err));
        }
    }
    None
}

/// Waits for all answers.
async fn all(requests: &mut [MaybeDone<Answer<'_>>]) -> Vec<Result<Vec<Row>, Error>> {
    poll_fn(|context| {
        let mut pending = false;
        for request in requests.iter_mut() {
            pending |= Pin::new(request).poll(context).is_pending();
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    requests.iter_mut().filter_map(|request| Pin::new(request).take_output()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer that is there by the end of the first poll.
    fn at_once<'a>(answer: Result<Vec<Row>, Error>) -> MaybeDone<Answer<'a>> {
        maybe_done(Box::pin(async { answer }))
    }

    /// Of a refusal that comes at once, the write is told what it means, and not that the database is away.
    #[tokio::test]
    async fn a_servers_answer_is_no_failure_to_send_however_soon_it_comes() {
        let databases = testbed::postgres::Databases::empty();
        let url = format!("{}_users", databases.url());
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("a connection");
        let driver = tokio::spawn(connection);
        let refused = client.batch_execute("SELECT 1 / 0").await.expect_err("refused");
        let mistaken = client.query("SELECT $1::bigint", &[&"no number"]).await.expect_err("not sent");
        drop(client);
        driver.await.expect("no panic").expect("closed");

        let mut sent = [at_once(Ok(Vec::new())), at_once(Err(refused)), at_once(Ok(Vec::new()))];
        assert!(send(&mut sent).await.is_none(), "all were sent");
        let answers = all(&mut sent).await;
        assert!(answers.len() == 3 && answers[1].as_ref().is_err_and(|error| error.as_db_error().is_some()));

        let mut sent = [at_once(Ok(Vec::new())), at_once(Err(mistaken)), at_once(Ok(Vec::new()))];
        assert!(send(&mut sent).await.is_some());
        assert!(matches!(sent[2], MaybeDone::Future(_)), "the COMMIT was not sent");
    }
}
