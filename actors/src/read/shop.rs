//! Carts and wishlists, put together with their products as these are now.

use super::{Cold, Sight, Viewer, beholder};
use crate::{
    entity::{self, wishlist},
    snapshot::Snapshot,
};
use protocol::{
    Audience, Fact, Key, Kind, Money, Page, Position, ProductId, UserId,
    cart::{Item, Seen},
    checkout::Total,
    product::Product,
};
use serde::Serialize;
use std::sync::Arc;

/// Why a line of a cart would not be ordered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Hindrance {
    /// It is not for sale any more.
    Gone,
    /// There are fewer pieces than the line has.
    OutOfStock,
    /// It costs more than when the line was set.
    PriceRaised,
    /// The line comes to more than an amount can be.
    TooMuch,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    id: protocol::CartItemId,
    product_id: ProductId,
    quantity: u32,
    /// What a piece cost when the line was set.
    agreed_price: Money,
    agreed_currency: &'a str,
    price_changed: bool,
    available: bool,
    hindrance: Option<Hindrance>,
    /// What the line costs now.
    subtotal: Option<Money>,
    product: Option<&'a Product>,
    created_at: protocol::Timestamp,
    updated_at: protocol::Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SellerTotal {
    seller_id: UserId,
    totals: Vec<Total>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cart<'a> {
    items: Vec<Line<'a>>,
    /// What available lines cost, by seller and currency, and by currency.
    sellers: Vec<SellerTotal>,
    totals: Vec<Total>,
}

/// Products as somebody may buy them, all of them looked at before any is found cold; `None` for what is not for sale to them: withdrawn, hidden, or of
/// a seller whom they may not know of.
fn for_sale(sight: &mut Sight<'_>, person: UserId, ids: impl Iterator<Item = ProductId>) -> Result<Vec<Option<Arc<Product>>>, Cold> {
    let beholder = beholder(sight, Viewer { user: Some(person) });
    let found: Vec<_> = ids.map(|id| sight.entity(Key::new(Kind::Product, id))).collect();
    let beholder = beholder?;
    let seen = |found: &Arc<Snapshot>| found.view.audience == Audience::Everyone && beholder.onlooker().sees(&found.view);
    found.into_iter().map(|found| Ok(found?.filter(seen).and_then(|found| entity::product::of(&found)))).collect()
}

/// Which of these products somebody may buy, in their order.
pub fn are_for_sale(sight: &mut Sight<'_>, person: UserId, ids: &[ProductId]) -> Result<Vec<bool>, Cold> {
    Ok(for_sale(sight, person, ids.iter().copied())?.iter().map(Option::is_some).collect())
}

/// What a product costs, as whoever looks at it is shown; `None` of what is no product.
#[must_use]
pub fn price(product: &Snapshot) -> Option<Seen> {
    let product = entity::product::of(product)?;
    Some(Seen { price: product.price, currency: product.currency.clone() })
}

/// A person's cart as JSON, with each line's product as it is now.
pub fn cart(sight: &mut Sight<'_>, person: UserId) -> Result<bytes::Bytes, Cold> {
    let cart = sight.entity(Key::new(Kind::Cart, person))?.ok_or(Cold)?;
    let Fact::Cart(items) = &cart.view.fact else { return Err(Cold) };
    let products = for_sale(sight, person, items.iter().map(|item| item.product_id))?;
    Ok(crate::entity::json(&put_together(items, &products)))
}

fn put_together<'a>(items: &'a [Item], products: &'a [Option<Arc<Product>>]) -> Cart<'a> {
    let mut cart = Cart { items: Vec::with_capacity(items.len()), sellers: Vec::new(), totals: Vec::new() };
    for (item, product) in items.iter().zip(products) {
        let line = line(item, product.as_deref());
        if let (true, Some(subtotal), Some(product)) = (line.available, line.subtotal, product) {
            Total::add(&mut cart.totals, &product.currency, subtotal.cents());
            let known = cart.sellers.iter().position(|seller| seller.seller_id == product.seller_id);
            let at = known.unwrap_or_else(|| {
                cart.sellers.push(SellerTotal { seller_id: product.seller_id, totals: Vec::new() });
                cart.sellers.len() - 1
            });
            Total::add(&mut cart.sellers[at].totals, &product.currency, subtotal.cents());
        }
        cart.items.push(line);
    }
    cart
}

fn line<'a>(item: &'a Item, product: Option<&'a Product>) -> Line<'a> {
    let subtotal = product.and_then(|product| product.price.times(item.quantity).ok());
    let hindrance = match product {
        None => Some(Hindrance::Gone),
        Some(product) if product.currency != item.currency || product.price > item.price => Some(Hindrance::PriceRaised),
        Some(product) if product.stock < item.quantity => Some(Hindrance::OutOfStock),
        Some(_) if subtotal.is_none() => Some(Hindrance::TooMuch),
        Some(_) => None,
    };
    Line {
        id: item.id,
        product_id: item.product_id,
        quantity: item.quantity,
        agreed_price: item.price,
        agreed_currency: &item.currency,
        price_changed: product.is_some_and(|product| (product.price, &product.currency) != (item.price, &item.currency)),
        available: hindrance.is_none(),
        hindrance,
        subtotal,
        product,
        created_at: item.created_at,
        updated_at: item.updated_at,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wish<'a> {
    product_id: ProductId,
    created_at: protocol::Timestamp,
    /// `null` once it is not for sale any more.
    product: Option<&'a Product>,
}

/// A page of what a person wishes for, newest first, as a JSON array; and where the next one begins.
pub fn wishes(sight: &mut Sight<'_>, viewer: Viewer, page: Page) -> Result<(bytes::Bytes, Option<Position>), Cold> {
    let person = viewer.user.ok_or(Cold)?;
    let list = sight.entity(Key::new(Kind::Wishlist, person))?.ok_or(Cold)?;
    let Fact::Wishes(items) = &list.view.fact else { return Err(Cold) };
    let begin = page.after.map_or(0, |after| items.partition_point(|item| wishlist::place(item) >= (after.sort, after.id)));
    let rest = &items[begin..];
    let rows = &rest[..rest.len().min(page.limit.into())];
    let products = for_sale(sight, person, rows.iter().map(|item| item.product_id))?;
    let wish = |(item, product): (&protocol::wishlist::Item, _)| Wish {
        product_id: item.product_id,
        created_at: item.created_at,
        product: Option::<&Arc<Product>>::map(product, |product| &**product),
    };
    let wishes: Vec<_> = rows.iter().zip(products.iter().map(Option::as_ref)).map(wish).collect();
    let last = rows.last().filter(|_| rest.len() > rows.len());
    let next = last.map(wishlist::place).map(|(sort, id)| Position { sort, id });
    Ok((crate::entity::json(&wishes), next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{CartItemId, Timestamp};

    fn money(cents: i64) -> Money {
        Money::from_cents(cents).expect("a price")
    }

    fn a_product(seller: UserId, cents: i64, currency: &str) -> Product {
        Product {
            id: ProductId::new(),
            seller_id: seller,
            name: "lamp".into(),
            description: None,
            price: money(cents),
            currency: currency.into(),
            images: Vec::new(),
            category: None,
            stock: 5,
            is_public: true,
            is_active: true,
            rating: Default::default(),
            created_at: Timestamp(1),
            updated_at: Timestamp(1),
            version: 1,
            deleted: false,
            hidden: false,
        }
    }

    fn in_cart(product: &Product, quantity: u32, cents: i64) -> Item {
        let (currency, at) = (product.currency.clone(), Timestamp(1));
        Item { id: CartItemId::new(), product_id: product.id, quantity, price: money(cents), currency, created_at: at, updated_at: at }
    }

    #[test]
    fn a_cart_counts_what_can_be_had_and_says_why_the_rest_cannot() {
        let (ada, bob) = (UserId::new(), UserId::new());
        let products = [
            a_product(ada, 100, "USD"),
            a_product(bob, 250, "USD"),
            a_product(ada, 300, "EUR"),
            a_product(bob, 100, "USD"),
            a_product(bob, 100, "USD"),
            a_product(bob, 100, "USD"),
        ];
        let items = [
            in_cart(&products[0], 2, 100),
            // Cheaper than agreed is no hindrance.
            in_cart(&products[1], 1, 300),
            in_cart(&products[2], 1, 300),
            in_cart(&products[3], 6, 100),
            in_cart(&products[4], 1, 99),
            in_cart(&products[5], 1, 100),
        ];
        let mut found: Vec<_> = products.iter().cloned().map(|product| Some(Arc::new(product))).collect();
        found[5] = None;
        let cart = serde_json::to_value(put_together(&items, &found)).expect("JSON");
        let lines = cart["items"].as_array().expect("lines");
        let hindrances: Vec<_> = lines.iter().map(|line| line["hindrance"].as_str()).collect();
        assert_eq!(hindrances, [None, None, None, Some("out_of_stock"), Some("price_raised"), Some("gone")]);
        assert!(lines.iter().all(|line| line["available"] == line["hindrance"].is_null()));
        assert_eq!(lines.iter().map(|line| line["priceChanged"] == true).collect::<Vec<_>>(), [false, true, false, false, true, false]);
        assert_eq!((&lines[1]["subtotal"], &lines[1]["agreedPrice"]), (&"2.50".into(), &"3.00".into()));
        assert_eq!((&lines[5]["subtotal"], &lines[5]["product"]), (&serde_json::Value::Null, &serde_json::Value::Null));
        let total = |currency: &str, amount: &str| serde_json::json!({ "currency": currency, "amount": amount });
        assert_eq!(cart["totals"], serde_json::json!([total("USD", "4.50"), total("EUR", "3.00")]));
        let sellers = serde_json::json!([
            { "sellerId": ada, "totals": [total("USD", "2.00"), total("EUR", "3.00")] },
            { "sellerId": bob, "totals": [total("USD", "2.50")] },
        ]);
        assert_eq!(cart["sellers"], sellers);
    }
}
