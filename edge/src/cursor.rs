//! Opaque page cursors, and the query string.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use protocol::{ErrorCode, Page, Position, Refusal};
use std::borrow::Cow;

/// Longest query string, in bytes.
const QUERY_BYTES_MAX: usize = 4096;

/// Which list a cursor belongs to: one of another list is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum List {
    Feed = 1,
    PublicPosts = 2,
    UserPosts = 3,
    Comments = 4,
    Products = 5,
    SellerProducts = 6,
    BuyerOrders = 7,
    SellerOrders = 8,
    Followers = 9,
    Following = 10,
    Endorsements = 11,
    ProductsPriceUp = 12,
    ProductsPriceDown = 13,
    Replies = 30,
    Blocks = 14,
    Audit = 15,
    Tagged = 31,
    Bookmarks = 32,
    PostSearch = 33,
    People = 16,
    ProductsRating = 40,
    ProductsRelevance = 41,
    Reviews = 42,
    Wishlist = 43,
    PublicFiles = 60,
    UserFiles = 61,
    Cases = 50,
    OpenCases = 51,
    HiddenCases = 52,
    RestoredCases = 53,
    DismissedCases = 54,
    OwnCases = 55,
}

/// Writes a cursor.
#[must_use]
pub fn encode(list: List, position: Position) -> String {
    let mut bytes = [0; 25];
    bytes[0] = list as u8;
    bytes[1..9].copy_from_slice(&position.sort.to_be_bytes());
    bytes[9..].copy_from_slice(position.id.as_bytes());
    // A list sorted by id alone leaves the sort value out.
    let from = if position.sort == 0 { 8 } else { 0 };
    bytes[from] = list as u8;
    URL_SAFE_NO_PAD.encode(&bytes[from..])
}

/// Reads a cursor of `list`. Any text is safe to give.
///
/// # Errors
/// `invalid_cursor`.
pub fn decode(list: List, text: &str) -> Result<Position, Refusal> {
    let refused = || Refusal::from(ErrorCode::InvalidCursor);
    let mut bytes = [0; 25];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).map_err(|_| refused())?;
    let (sort, id) = match length {
        17 => ([0; 8], &bytes[1..17]),
        25 => (bytes[1..9].try_into().map_err(|_| refused())?, &bytes[9..25]),
        _ => return Err(refused()),
    };
    if bytes[0] != list as u8 {
        return Err(refused());
    }
    Ok(Position { sort: i64::from_be_bytes(sort), id: uuid::Uuid::from_slice(id).map_err(|_| refused())? })
}

/// The parameters of a query string: each at most once, none unknown.
pub struct Params<'q> {
    pairs: Vec<(Cow<'q, str>, Cow<'q, str>)>,
}

impl<'q> Params<'q> {
    /// Reads a query string that may have the parameters in `known`.
    ///
    /// # Errors
    /// `invalid_query`, naming the parameter.
    pub fn parse(query: &'q str, known: &[&str]) -> Result<Self, Refusal> {
        if query.len() > QUERY_BYTES_MAX {
            return Err(refused(format!("the query string is over {QUERY_BYTES_MAX} bytes")));
        }
        let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !known.contains(&&*name) {
                return Err(refused(format!("there is no parameter {:?} here; there are {}", cut(&name), known.join(", "))));
            }
            if pairs.iter().any(|(n, _)| *n == name) {
                return Err(refused(format!("the parameter {name} is repeated")));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    /// A parameter's text, if it is there and not empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, value)| &**value).filter(|value| !value.is_empty())
    }

    /// A parameter read as `T`.
    ///
    /// # Errors
    /// `invalid_query`, saying what the parameter takes.
    pub fn read<T: std::str::FromStr>(&self, name: &str, takes: &str) -> Result<Option<T>, Refusal> {
        self.text(name).map(|text| text.parse().map_err(|_| refused(format!("{name} takes {takes}")))).transpose()
    }

    /// The page that `limit` and `cursor` ask for.
    ///
    /// # Errors
    /// `invalid_query`, `invalid_cursor`.
    pub fn page(&self, list: List) -> Result<Page, Refusal> {
        let takes = format!("1 to {}", Page::LIMIT_MAX);
        let limit = self.read("limit", &takes)?.unwrap_or(Page::LIMIT_DEFAULT);
        if !(1..=Page::LIMIT_MAX).contains(&limit) {
            return Err(refused(format!("limit takes {takes}")));
        }
        Ok(Page { after: self.text("cursor").map(|text| decode(list, text)).transpose()?, limit })
    }
}

fn cut(name: &str) -> String {
    name.chars().take(40).collect()
}

/// Refuses a query string.
pub fn refused(detail: String) -> Refusal {
    Refusal::new(ErrorCode::InvalidQuery, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cursors_round_trip_within_their_list(sort: i64, id: u128) {
            let position = Position { sort, id: uuid::Uuid::from_u128(id) };
            let text = encode(List::Products, position);
            prop_assert_eq!(decode(List::Products, &text), Ok(position));
            prop_assert!(decode(List::Feed, &text).is_err());
        }

        #[test]
        fn any_text_is_a_cursor_or_refused(text in ".{0,64}") {
            let _ = decode(List::Feed, &text);
        }

        #[test]
        fn any_query_is_read_or_refused(query in ".{0,200}") {
            if let Ok(params) = Params::parse(&query, &["limit", "cursor"]) {
                let _ = params.page(List::Feed);
            }
        }
    }

    #[test]
    fn limits_hold() {
        let page = |query| Params::parse(query, &["limit", "cursor"]).and_then(|p| p.page(List::Feed)).map(|p| p.limit);
        assert_eq!(page(""), Ok(20));
        assert_eq!(page("limit=100"), Ok(100));
        for bad in ["limit=0", "limit=101", "limit=-1", "limit=x", "limit=1&limit=2", "page=1", "cursor=nonsense"] {
            assert!(page(bad).is_err(), "{bad}");
        }
    }
}
