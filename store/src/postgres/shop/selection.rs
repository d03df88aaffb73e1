//! Lists of products, as they are selected and sorted.

use super::search;
use crate::metric::Operation;
use crate::postgres::column::{Asked, BOTTOM, Columns, TOP, cut, fetch};
use crate::postgres::database::Database;
use crate::{Ids, ShopWrite, StoreError};
use protocol::Position;
use protocol::product::{Selection, Sort};
use uuid::Uuid;

/// The page of a selection without a text.
fn ask(selection: &Selection) -> Asked {
    let mut asked = Asked::default();
    let (least, most) = (selection.price_cents_min.unwrap_or(i64::MIN), selection.price_cents_max.unwrap_or(i64::MAX));
    let after = selection.page.after;
    let (value, range, order) = match selection.sort {
        Sort::Newest | Sort::Relevance => {
            let (after, least, most) = (asked.value(after.unwrap_or(TOP).id), asked.value(least), asked.value(most));
            ("0::bigint", format!("id < {after} AND price_cents BETWEEN {least} AND {most}"), "id DESC")
        }
        // By price, a list begins where its range does: just before the least price, or just after the highest.
        Sort::PriceUp => {
            let from = after.unwrap_or(BOTTOM).max(Position { sort: least.saturating_sub(1), id: Uuid::max() });
            let (sort, id, most) = (asked.value(from.sort), asked.value(from.id), asked.value(most));
            ("price_cents", format!("(price_cents, id) > ({sort}, {id}) AND price_cents <= {most}"), "price_cents, id")
        }
        Sort::PriceDown => {
            let from = after.unwrap_or(TOP).min(Position { sort: most.saturating_add(1), id: Uuid::nil() });
            let (sort, id, least) = (asked.value(from.sort), asked.value(from.id), asked.value(least));
            ("price_cents", format!("(price_cents, id) < ({sort}, {id}) AND price_cents >= {least}"), "price_cents DESC, id DESC")
        }
        Sort::Rating => {
            let from = after.unwrap_or(TOP);
            let (sort, id, least, most) = (asked.value(from.sort), asked.value(from.id), asked.value(least), asked.value(most));
            let range = format!("(rating_rank, id) < ({sort}, {id}) AND price_cents BETWEEN {least} AND {most}");
            ("rating_rank", range, "rating_rank DESC, id DESC")
        }
    };
    let category = selection.category.clone().map(|category| format!(" AND category = {}", asked.value(category))).unwrap_or_default();
    let (limit, skip) = (asked.value(fetch(selection.page)), asked.value(i64::from(selection.skip)));
    asked.sql = format!(
        "SELECT {value}, id FROM product WHERE NOT deleted AND is_public AND is_active AND {range}{category} ORDER BY {order} LIMIT {limit} OFFSET {skip}"
    );
    asked
}

/// A page of products that everyone may see.
pub(super) async fn products(db: &Database<ShopWrite>, selection: &Selection) -> Result<Ids, StoreError> {
    if let Some(text) = &selection.search {
        return search::products(db, selection, text).await;
    }
    let asked = ask(selection);
    let rows = db.search(Operation::Products, &asked, |row| {
        let mut columns = Columns::of(row);
        Ok(Position { sort: columns.take()?, id: columns.id()? })
    });
    let (rows, next) = cut(rows.await?, selection.page, |row| *row);
    Ok(Ids { ids: rows.into_iter().map(|row| row.id).collect(), next })
}

/// A list of every shape.
#[cfg(test)]
pub(in crate::postgres) fn searches() -> Vec<Asked> {
    let sorts = [Sort::Newest, Sort::PriceUp, Sort::PriceDown, Sort::Rating];
    let of = |category: Option<&str>, sort| Selection { category: category.map(str::to_owned), sort, ..Selection::default() };
    [None, Some("category 77")].into_iter().flat_map(|category| sorts.map(|sort| ask(&of(category, sort)))).collect()
}
