//! Lists of products, as they are selected and sorted.

use super::search;
use crate::metric::Operation;
use crate::postgres::column::{BOTTOM, Columns, TOP, cut, fetch};
use crate::postgres::database::Database;
use crate::{Ids, ShopWrite, StoreError};
use protocol::Position;
use protocol::product::{Selection, Sort};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// The statement for one shape of selection without a text. Parameters: the position (1: its sort value, 2: its id), 3: the far end of the range of
/// prices, 4: limit, 5: rows to skip, then the near end of the range where the position does not say it, and the category, where it is asked for.
fn statement(category: bool, sort: Sort) -> String {
    let (value, range, order) = match sort {
        // A list by id has no sort value: its first parameter is the near end of the range of prices.
        Sort::Newest | Sort::Relevance => ("0::bigint", "id < $2 AND price_cents BETWEEN $1 AND $3", "id DESC"),
        Sort::PriceUp => ("price_cents", "(price_cents, id) > ($1, $2) AND price_cents <= $3", "price_cents, id"),
        Sort::PriceDown => ("price_cents", "(price_cents, id) < ($1, $2) AND price_cents >= $3", "price_cents DESC, id DESC"),
        Sort::Rating => ("rating_rank", "(rating_rank, id) < ($1, $2) AND price_cents BETWEEN $6 AND $3", "rating_rank DESC, id DESC"),
    };
    let category_is = match (category, sort) {
        (false, _) => "",
        (true, Sort::Rating) => " AND category = $7",
        (true, _) => " AND category = $6",
    };
    format!(
        "SELECT {value}, id FROM product WHERE NOT deleted AND is_public AND is_active AND {range}{category_is} ORDER BY {order} LIMIT $4 OFFSET $5"
    )
}

/// A page of products that everyone may see.
pub(super) async fn products(db: &Database<ShopWrite>, selection: &Selection) -> Result<Ids, StoreError> {
    if let Some(text) = &selection.search {
        return search::products(db, selection, text).await;
    }
    let (least, most) = (selection.price_cents_min.unwrap_or(i64::MIN), selection.price_cents_max.unwrap_or(i64::MAX));
    let after = selection.page.after;
    // By price, a list begins where its range does: just before the least price, or just after the highest.
    let (from, far) = match selection.sort {
        Sort::Newest | Sort::Relevance => (Position { sort: least, id: after.unwrap_or(TOP).id }, most),
        Sort::PriceUp => (after.unwrap_or(BOTTOM).max(Position { sort: least.saturating_sub(1), id: Uuid::max() }), most),
        Sort::PriceDown => (after.unwrap_or(TOP).min(Position { sort: most.saturating_add(1), id: Uuid::nil() }), least),
        Sort::Rating => (after.unwrap_or(TOP), most),
    };
    let (limit, skip) = (fetch(selection.page), i64::from(selection.skip));
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![&from.sort, &from.id, &far, &limit, &skip];
    if selection.sort == Sort::Rating {
        values.push(&least);
    }
    values.extend(selection.category.as_ref().map(|category| category as &(dyn ToSql + Sync)));

    let rows = db.list(Operation::Products, statement(selection.category.is_some(), selection.sort), &values, |row| {
        let mut columns = Columns::of(row);
        Ok(Position { sort: columns.take()?, id: columns.id()? })
    });
    let (rows, next) = cut(rows.await?, selection.page, |row| *row);
    Ok(Ids { ids: rows.into_iter().map(|row| row.id).collect(), next })
}

/// Every statement of this module.
#[cfg(test)]
pub(in crate::postgres) fn statements() -> Vec<String> {
    let sorts = [Sort::Newest, Sort::PriceUp, Sort::PriceDown, Sort::Rating];
    [false, true].iter().flat_map(|category| sorts.map(|sort| statement(*category, sort))).collect()
}
