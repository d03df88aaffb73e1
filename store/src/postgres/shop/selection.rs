//! Lists of products, as they are selected and sorted.

use crate::metric::Operation;
use crate::postgres::column::{BOTTOM, Columns, TOP, cut, fetch};
use crate::postgres::database::Database;
use crate::{Ids, ShopWrite, StoreError};
use protocol::Position;
use protocol::product::{Selection, Sort};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// The statement for one shape of selection. Parameters: the position (1: its sort value, 2: its id), 3: the far end of the range of prices,
/// 4: limit, 5: rows to skip, then the category and the text, where they are asked for.
fn statement(category: bool, search: bool, sort: Sort) -> String {
    let (range, order) = match sort {
        // A list by id has no sort value: its first parameter is the near end of the range of prices.
        Sort::Newest => ("id < $2 AND price_cents BETWEEN $1 AND $3", "id DESC"),
        Sort::PriceUp => ("(price_cents, id) > ($1, $2) AND price_cents <= $3", "price_cents, id"),
        Sort::PriceDown => ("(price_cents, id) < ($1, $2) AND price_cents >= $3", "price_cents DESC, id DESC"),
    };
    let category_is = if category { " AND category = $6" } else { "" };
    // The text is compared as it is: no character of it is a wildcard.
    let text_in = match (search, category) {
        (false, _) => "",
        (true, false) => " AND (position($6 in lower(name)) > 0 OR position($6 in lower(description)) > 0)",
        (true, true) => " AND (position($7 in lower(name)) > 0 OR position($7 in lower(description)) > 0)",
    };
    format!(
        "SELECT price_cents, id FROM product WHERE NOT deleted AND is_public AND is_active AND {range}{category_is}{text_in} \
         ORDER BY {order} LIMIT $4 OFFSET $5"
    )
}

/// A page of products that everyone may see.
pub(super) async fn products(db: &Database<ShopWrite>, selection: &Selection) -> Result<Ids, StoreError> {
    let (least, most) = (selection.price_cents_min.unwrap_or(i64::MIN), selection.price_cents_max.unwrap_or(i64::MAX));
    let after = selection.page.after;
    // By price, a list begins where its range does: just before the least price, or just after the highest.
    let (from, far) = match selection.sort {
        Sort::Newest => (Position { sort: least, id: after.unwrap_or(TOP).id }, most),
        Sort::PriceUp => (after.unwrap_or(BOTTOM).max(Position { sort: least.saturating_sub(1), id: Uuid::max() }), most),
        Sort::PriceDown => (after.unwrap_or(TOP).min(Position { sort: most.saturating_add(1), id: Uuid::nil() }), least),
    };
    let (limit, skip) = (fetch(selection.page), i64::from(selection.skip));
    let search = selection.search.as_ref().map(|text| text.to_lowercase());
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![&from.sort, &from.id, &far, &limit, &skip];
    values.extend(selection.category.as_ref().map(|category| category as &(dyn ToSql + Sync)));
    values.extend(search.as_ref().map(|text| text as &(dyn ToSql + Sync)));

    let sql = statement(selection.category.is_some(), search.is_some(), selection.sort);
    let rows = db.list(Operation::Products, sql, &values, |row| {
        let mut columns = Columns::of(row);
        Ok(Position { sort: columns.take()?, id: columns.id()? })
    });
    let by_price = selection.sort != Sort::Newest;
    let (rows, next) = cut(rows.await?, selection.page, |row| Position { sort: if by_price { row.sort } else { 0 }, id: row.id });
    Ok(Ids { ids: rows.into_iter().map(|row| row.id).collect(), next })
}

/// Every statement of this module.
#[cfg(test)]
pub(in crate::postgres) fn statements() -> Vec<String> {
    let flags = [false, true];
    let sorts = [Sort::Newest, Sort::PriceUp, Sort::PriceDown];
    flags.iter().flat_map(|c| flags.iter().flat_map(move |s| sorts.map(|sort| statement(*c, *s, sort)))).collect()
}
