//! Lists of products by their words.
//!
//! The index is asked for words, never for a scan. What fits best comes in tiers, each a query of its own and newest first in itself: a name that
//! begins with the words, one that has them all, one that has words beginning with them all; then name and category together; then the
//! description, too. A product's place in the list does not depend on how common a word is today.

use crate::metric::Operation;
use crate::postgres::column::{Asked, Columns, TOP, cut, fetch, params, statements};
use crate::postgres::database::Database;
use crate::postgres::fault::Fault;
use crate::postgres::transaction::Step;
use crate::postgres::transfer::Found;
use crate::postgres::words;
use crate::{Ids, ShopWrite, StoreError};
use protocol::product::{Product, SEARCH_WORDS_MAX, Selection, Sort};
use protocol::{Position, ProductId};

statements! {
    LIST = "INSERT INTO product_listing AS l (product_id, category, price_cents, rating_rank, name, words)
            SELECT id, $2, $3, rating_rank, $4, $5::text::tsvector FROM product WHERE id = $1
            ON CONFLICT (product_id) DO UPDATE
            SET category = excluded.category, price_cents = excluded.price_cents, rating_rank = excluded.rating_rank, name = excluded.name,
              words = excluded.words
            WHERE (l.category, l.price_cents, l.rating_rank, l.name, l.words)
              IS DISTINCT FROM (excluded.category, excluded.price_cents, excluded.rating_rank, excluded.name, excluded.words)";
    LIST_NUMBERED = "INSERT INTO product_listing (product_id, number, category, price_cents, rating_rank, name, words) OVERRIDING SYSTEM VALUE
                     SELECT id, $2, category, price_cents, rating_rank, $3, $4::text::tsvector FROM product WHERE id = $1";
    UNLIST = "DELETE FROM product_listing WHERE product_id = $1";
}

/// Products that a list in another order than by how well they fit is sorted from: the newest so many that fit. A word that fits more says little.
const SORTED_MAX: usize = 10_000;
/// Bits of a position's sort value that say where in a tier it is; the tier is above them. There are never so many rows.
const NUMBER_BITS: u32 = 48;

/// Brings the index up to a product's row, which was written before.
pub(super) fn list(product: &Product) -> Step<'_> {
    if product.deleted || !product.is_public || !product.is_active {
        return unlist(product.id);
    }
    let (name, lexemes) = lexemes(product);
    Step::new(LIST, params![product.id.0, &product.category, product.price.cents(), name, lexemes])
}

/// Lists products under the numbers that they had elsewhere.
pub(in crate::postgres) const FOUND: Found = Found {
    thing: super::PRODUCT,
    insert: LIST_NUMBERED,
    row: |rows, number| {
        let Some(row) = rows.first() else { return Err(Fault::Corrupt("a product that is listed is not there".to_owned())) };
        let product = super::product(row)?;
        let (name, lexemes) = lexemes(&product);
        Ok(Some(params![product.id.0, number, name, lexemes]))
    },
};

/// The words of a product's name in order, and what it is found by.
fn lexemes(product: &Product) -> (String, String) {
    let of = |text: Option<&String>| text.map(|text| words::in_order(text)).unwrap_or_default();
    let (name, category, description) = (of(Some(&product.name)), of(product.category.as_ref()), of(product.description.as_ref()));
    fn texts(words: &[String]) -> Vec<&str> {
        words.iter().map(String::as_str).collect()
    }
    (name.join(" "), words::lexemes([('a', texts(&name)), ('b', texts(&category)), ('c', texts(&description))]))
}

/// Takes a product out of the index.
pub(super) fn unlist<'w>(id: ProductId) -> Step<'w> {
    Step::new(UNLIST, params![id.0])
}

/// A page of the products that everyone may see, and that have the words of `text`. A text without any fits nothing.
pub(super) async fn products(db: &Database<ShopWrite>, selection: &Selection, text: &str) -> Result<Ids, StoreError> {
    let mut words = words::in_order(text);
    words.truncate(SEARCH_WORDS_MAX);
    if words.is_empty() {
        return Ok(Ids::default());
    }
    let Some(asked) = (match selection.sort {
        Sort::Relevance => by_fit(selection, &words),
        _ => Some(sorted(selection, &words)),
    }) else {
        return Ok(Ids::default());
    };
    let rows = db
        .search(Operation::Products, &asked, |row| {
            let mut columns = Columns::of(row);
            Ok(Position { sort: columns.take()?, id: columns.id()? })
        })
        .await?;
    let (rows, next) = cut(rows, selection.page, |row| *row);
    Ok(Ids { ids: rows.into_iter().map(|row| row.id).collect(), next })
}

/// What the list asks for beside words.
fn filters(selection: &Selection, asked: &mut Asked) -> String {
    let (least, most) = (selection.price_cents_min.unwrap_or(i64::MIN), selection.price_cents_max.unwrap_or(i64::MAX));
    let range = format!(" AND price_cents BETWEEN {} AND {}", asked.value(least), asked.value(most));
    let category = selection.category.clone().map(|category| format!(" AND category = {}", asked.value(category)));
    range + &category.unwrap_or_default()
}

/// `None` where the page begins behind the last tier: a position comes from a client, and anything can be in it.
fn by_fit(selection: &Selection, words: &[String]) -> Option<Asked> {
    let mut asked = Asked::default();
    let filters = filters(selection, &mut asked);
    let skip = i64::from(selection.skip);
    let (limit, wanted) = (asked.value(fetch(selection.page)), asked.value(fetch(selection.page) + skip));
    let skip = asked.value(skip);
    let (first, mut before) = selection.page.after.map_or((0, i64::MAX), |after| {
        (usize::try_from(after.sort >> NUMBER_BITS).unwrap_or(usize::MAX), after.sort & ((1 << NUMBER_BITS) - 1))
    });
    let mut queries = Vec::new();
    // Each tier has all that the one before it has, so it is enough to leave out that one.
    let mut better: Option<String> = None;
    for tier in 0..5_usize {
        let whole = |asked: &mut Asked| format!("words @@ {}::text::tsquery", asked.value(words::whole(words, "a")));
        let begun = |asked: &mut Asked, parts| format!("words @@ {}::text::tsquery", asked.value(words::begun(words, parts)));
        // What is not asked for must not be given, either.
        if tier + 1 < first {
            continue;
        }
        let fits = match tier {
            0 => format!("({} AND starts_with(name || ' ', {}))", whole(&mut asked), asked.value(format!("{} ", words.join(" ")))),
            1 => whole(&mut asked),
            2 => begun(&mut asked, "a"),
            3 => begun(&mut asked, "ab"),
            _ => begun(&mut asked, "abc"),
        };
        if tier >= first {
            let (below, sort) = (asked.value(before), (tier as i64) << NUMBER_BITS);
            before = i64::MAX;
            let not_better = better.map(|better| format!(" AND NOT {better}")).unwrap_or_default();
            queries.push(format!(
                "(SELECT {tier} AS tier, number, {sort} | number AS sort, product_id FROM product_listing \
                 WHERE number < {below} AND {fits}{not_better}{filters} ORDER BY number DESC LIMIT {wanted})"
            ));
        }
        better = Some(fits);
    }
    asked.sql = format!(
        "SELECT sort, product_id FROM ({}) AS found ORDER BY tier, number DESC LIMIT {limit} OFFSET {skip}",
        queries.join(" UNION ALL ")
    );
    (!queries.is_empty()).then_some(asked)
}

/// The newest that fit, in the order of the list.
fn sorted(selection: &Selection, words: &[String]) -> Asked {
    let mut asked = Asked::default();
    let filters = filters(selection, &mut asked);
    let question = asked.value(words::begun(words, "abc"));
    let (value, behind, order) = match selection.sort {
        Sort::PriceUp => ("price_cents", ">", "sort, product_id"),
        Sort::PriceDown => ("price_cents", "<", "sort DESC, product_id DESC"),
        Sort::Rating => ("rating_rank", "<", "sort DESC, product_id DESC"),
        Sort::Newest | Sort::Relevance => ("0::bigint", "<", "sort DESC, product_id DESC"),
    };
    let from = selection.page.after.unwrap_or(if behind == ">" { crate::postgres::column::BOTTOM } else { TOP });
    let (sort, id) = (asked.value(from.sort), asked.value(from.id));
    let (limit, skip) = (asked.value(fetch(selection.page)), asked.value(i64::from(selection.skip)));
    asked.sql = format!(
        "SELECT sort, product_id FROM (
           SELECT {value} AS sort, product_id FROM product_listing WHERE words @@ {question}::text::tsquery{filters} ORDER BY number DESC LIMIT {SORTED_MAX}
         ) AS found WHERE (sort, product_id) {behind} ({sort}, {id}) ORDER BY {order} LIMIT {limit} OFFSET {skip}"
    );
    asked
}

/// A search of every shape, for words that few have.
#[cfg(test)]
pub(in crate::postgres) fn searches() -> Vec<Asked> {
    let words = ["product77".to_owned()];
    let shapes = [None, Some("category 77".to_owned())].into_iter().flat_map(|category| {
        let sorts = [Sort::Newest, Sort::PriceUp, Sort::PriceDown, Sort::Rating];
        sorts.map(|sort| Selection { category: category.clone(), sort, ..Selection::default() })
    });
    let mut searches: Vec<_> = shapes.map(|selection| sorted(&selection, &words)).collect();
    for first in 0..5_i64 {
        let after = Some(Position { sort: (first << NUMBER_BITS) | 7, id: TOP.id });
        let selection = Selection { page: protocol::Page { after, limit: 10 }, ..Selection::default() };
        searches.extend(by_fit(&selection, &words));
    }
    searches
}
