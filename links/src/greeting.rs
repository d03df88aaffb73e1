//! What the first frames of a stream say, read before ractor_cluster reads them.
//!
//! ractor_cluster takes a peer's word for its name, and only then asks it for the cookie; a check afterwards would come too late, because by then its
//! election has ended the session of whoever really has the name. So the frames are read along, from the first to the one that ends the exchange: a
//! small bound on each, the kinds in their order and no others, and the name held against the peer's certificate before ractor_cluster sees it.

use prost::Message;

// Their fields are those of ractor_cluster's meta.proto and auth.proto that matter here. It is decoded by the same library, so that what counts in a
// frame that says something twice is the same in both readings.
#[derive(Message)]
struct NetworkMessage {
    #[prost(oneof = "Part", tags = "1, 2, 3")]
    part: Option<Part>,
}

#[derive(prost::Oneof)]
enum Part {
    #[prost(message, tag = "1")]
    Authentication(Authentication),
    #[prost(bytes = "vec", tag = "2")]
    Node(Vec<u8>),
    #[prost(bytes = "vec", tag = "3")]
    Control(Vec<u8>),
}

#[derive(Message)]
struct Authentication {
    #[prost(oneof = "Word", tags = "1, 2, 3, 4, 5, 6")]
    word: Option<Word>,
}

#[derive(prost::Oneof)]
enum Word {
    #[prost(message, tag = "1")]
    Name(Named),
    #[prost(bytes = "vec", tag = "2")]
    Status(Vec<u8>),
    #[prost(bytes = "vec", tag = "3")]
    ClientStatus(Vec<u8>),
    #[prost(message, tag = "4")]
    Challenge(Named),
    #[prost(bytes = "vec", tag = "5")]
    Response(Vec<u8>),
    #[prost(bytes = "vec", tag = "6")]
    Acknowledgement(Vec<u8>),
}

#[derive(Message)]
struct Named {
    #[prost(string, tag = "1")]
    name: String,
}

/// What is to come next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Name,
    Status,
    Challenge,
    Response,
    Acknowledgement,
}

/// Why a stream is closed before it became a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum GreetingError {
    /// Longer than any of them is.
    #[error("a frame of the greeting is over the limit")]
    TooLarge,
    /// It is not ractor_cluster's, or not what comes next.
    #[error("the greeting is not one of ours")]
    Unexpected,
    /// The peer may not have the name that it says.
    #[error("the peer's name is not its certificate's, or not a member's")]
    NotProven,
}

/// One side of the exchange, as far as it has been read.
pub(crate) struct Greeting {
    expected: &'static [Step],
    frame: Vec<u8>,
    frame_bytes_max: u64,
}

const LENGTH_BYTES: usize = 8;

impl Greeting {
    /// What a peer says that dialled.
    pub(crate) const fn of_the_dialler(frame_bytes_max: u64) -> Self {
        Self { expected: &[Step::Name, Step::Response], frame: Vec::new(), frame_bytes_max }
    }

    /// What a peer says that was dialled.
    pub(crate) const fn of_the_dialled(frame_bytes_max: u64) -> Self {
        Self { expected: &[Step::Status, Step::Challenge, Step::Acknowledgement], frame: Vec::new(), frame_bytes_max }
    }

    /// Reads on, and asks `proves` about the name when it comes. Answers whether the greeting has ended: what follows is not looked at.
    pub(crate) fn read(&mut self, mut bytes: &[u8], mut proves: impl FnMut(&str) -> bool) -> Result<bool, GreetingError> {
        while let Some((&step, expected)) = self.expected.split_first() {
            take(&mut self.frame, &mut bytes, LENGTH_BYTES);
            let Some(length) = self.frame.first_chunk::<LENGTH_BYTES>().map(|length| u64::from_be_bytes(*length)) else { return Ok(false) };
            if length > self.frame_bytes_max {
                return Err(GreetingError::TooLarge);
            }
            let end = LENGTH_BYTES + usize::try_from(length).map_err(|_| GreetingError::TooLarge)?;
            take(&mut self.frame, &mut bytes, end);
            if self.frame.len() < end {
                return Ok(false);
            }
            match (step, word(&self.frame[LENGTH_BYTES..])?) {
                (Step::Name, Word::Name(named)) | (Step::Challenge, Word::Challenge(named)) if !proves(&named.name) => {
                    return Err(GreetingError::NotProven);
                }
                (Step::Name, Word::Name(_))
                | (Step::Challenge, Word::Challenge(_))
                | (Step::Status, Word::Status(_))
                | (Step::Response, Word::Response(_))
                | (Step::Acknowledgement, Word::Acknowledgement(_)) => {}
                _ => return Err(GreetingError::Unexpected),
            }
            self.frame.clear();
            self.expected = expected;
        }
        Ok(true)
    }
}

/// Moves bytes over until the frame has `end` of them, or there are no more.
fn take(frame: &mut Vec<u8>, bytes: &mut &[u8], end: usize) {
    let (taken, rest) = bytes.split_at(end.saturating_sub(frame.len()).min(bytes.len()));
    frame.extend_from_slice(taken);
    *bytes = rest;
}

fn word(frame: &[u8]) -> Result<Word, GreetingError> {
    match NetworkMessage::decode(frame).map_err(|_| GreetingError::Unexpected)?.part {
        Some(Part::Authentication(Authentication { word: Some(word) })) => Ok(word),
        _ => Err(GreetingError::Unexpected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(part: Part) -> Vec<u8> {
        let message = NetworkMessage { part: Some(part) }.encode_to_vec();
        [&(message.len() as u64).to_be_bytes()[..], &message].concat()
    }

    fn said(word: Word) -> Vec<u8> {
        framed(Part::Authentication(Authentication { word: Some(word) }))
    }

    fn name() -> Vec<u8> {
        said(Word::Name(Named { name: "a@b".into() }))
    }

    fn read(greeting: &mut Greeting, bytes: &[u8]) -> Result<bool, GreetingError> {
        greeting.read(bytes, |name| name == "a@b")
    }

    #[test]
    fn a_greeting_is_read_however_it_is_cut() {
        let dialler = [name(), said(Word::Response(vec![1; 40]))].concat();
        let dialled =
            [said(Word::Status(Vec::new())), said(Word::Challenge(Named { name: "a@b".into() })), said(Word::Acknowledgement(vec![2; 32]))];
        let sides = [(Greeting::of_the_dialler as fn(u64) -> Greeting, dialler), (Greeting::of_the_dialled, dialled.concat())];
        for (side, stream) in sides {
            for piece in [1, 3, 8, 9, stream.len()] {
                let mut greeting = side(1024);
                let answers: Vec<_> = stream.chunks(piece).map(|bytes| read(&mut greeting, bytes).expect("a greeting")).collect();
                assert_eq!(answers.iter().position(|done| *done), Some(answers.len() - 1), "pieces of {piece}");
            }
            let followed = [&stream[..], &[0xff; 100]].concat();
            assert_eq!(read(&mut side(1024), &followed), Ok(true), "what follows is not looked at");
        }
    }

    #[test]
    fn a_name_that_is_not_proven_ends_it_at_once() {
        let other = said(Word::Name(Named { name: "c@b".into() }));
        assert_eq!(read(&mut Greeting::of_the_dialler(1024), &other), Err(GreetingError::NotProven));
        let twice = [name(), name()].concat();
        assert_eq!(read(&mut Greeting::of_the_dialler(1024), &twice), Err(GreetingError::Unexpected));
    }

    #[test]
    fn nothing_else_comes_before_the_end_of_the_greeting() {
        for other in
            [framed(Part::Node(vec![1])), framed(Part::Control(vec![1])), said(Word::Response(vec![1])), said(Word::ClientStatus(vec![1]))]
        {
            assert_eq!(read(&mut Greeting::of_the_dialler(1024), &other), Err(GreetingError::Unexpected));
            let late = [name(), other.clone()].concat();
            let expected = if other == said(Word::Response(vec![1])) { Ok(true) } else { Err(GreetingError::Unexpected) };
            assert_eq!(read(&mut Greeting::of_the_dialler(1024), &late), expected);
        }
        assert_eq!(read(&mut Greeting::of_the_dialler(1024), b"\0\0\0\0\0\0\0\x03abc"), Err(GreetingError::Unexpected));
    }

    #[test]
    fn a_long_frame_is_refused_by_its_length_alone() {
        assert_eq!(read(&mut Greeting::of_the_dialler(1024), &1025u64.to_be_bytes()), Err(GreetingError::TooLarge));
        assert_eq!(read(&mut Greeting::of_the_dialler(1024), &[0xff; 8]), Err(GreetingError::TooLarge));
    }
}
