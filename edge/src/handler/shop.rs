//! The shop service: products and orders; carts, reviews and wishlists have files of their own.

mod cart;
mod review;
mod wishlist;

use super::{ANYONE, Answered, PAGE, first, person};
use crate::{
    cursor::{List, Params, refused},
    exchange::{Exchange, read_json},
    respond::{self, Caching},
    route::{Auth, Glance, Route, Service::Shop},
};
use actors::{Snapshot, entity::family, read};
use bytes::Bytes;
use http::{Method, Response};
use protocol::{
    Audience, Command, ErrorCode, Fact, Key, Kind, Money, ProductId, Query, Refusal, UserId,
    order::{self, NewOrder},
    product::{self, Selection, Sort},
};
use std::sync::Arc;
use uuid::Uuid;

/// The service's routes.
pub fn routes() -> Vec<Route> {
    let mut routes = own_routes();
    routes.extend(cart::routes());
    routes.extend(review::routes());
    routes.extend(wishlist::routes());
    routes
}

fn own_routes() -> Vec<Route> {
    vec![
        Route::new((Shop, Method::GET, "/public/products"), Auth::Open, "Products for sale.", list).params(SELECTION).fast(list_now),
        Route::new((Shop, Method::GET, "/public/products/:id"), Auth::Open, "A product for sale.", product).fast(product_now),
        Route::new((Shop, Method::POST, "/products"), Auth::Token, "Offer a product.", create),
        Route::new((Shop, Method::PUT, "/products/:id"), Auth::Token, "Change the fields present. The seller only.", update),
        Route::new(
            (Shop, Method::DELETE, "/products/:id"),
            Auth::Token,
            "Take a product out of the shop. The seller or a moderator.",
            delete,
        ),
        Route::new(
            (Shop, Method::GET, "/products/seller/:sellerId"),
            Auth::Subject,
            "One's own products, hidden ones included.",
            of_seller,
        )
        .params(PAGE),
        Route::new((Shop, Method::POST, "/orders"), Auth::Token, "Buy some of a product.", place_order),
        Route::new((Shop, Method::GET, "/orders/:id"), Auth::Token, "An order that one placed or received.", read_order),
        Route::new(
            (Shop, Method::PUT, "/orders/:id/status"),
            Auth::Token,
            "Lead an order on, cancel it, or say that it was paid: its seller, and its buyer as far as they may.",
            change_order,
        ),
        Route::new((Shop, Method::GET, "/orders/buyer/:id"), Auth::Subject, "The orders that one placed.", |x, _| orders(x, true))
            .params(PAGE),
        Route::new((Shop, Method::GET, "/orders/seller/:id"), Auth::Subject, "The orders that one received.", |x, _| orders(x, false))
            .params(PAGE),
    ]
}

const SELECTION: &[&str] = &["category", "search", "minPrice", "maxPrice", "sort", "limit", "cursor", "page"];
/// Pages that the old `page=N` reaches; beyond them the cursor must be used.
const OLD_PAGE_MAX: u32 = 1000;
const SEARCH_CHARS_MAX: usize = 100;

/// What the query string selects, and whose cursors it takes.
fn selection(params: &Params<'_>) -> Result<(Selection, List), Refusal> {
    let searched = params.text("search").is_some();
    let (sort, list) = match params.text("sort") {
        None if searched => (Sort::Relevance, List::ProductsRelevance),
        None | Some("newest") => (Sort::Newest, List::Products),
        Some("relevance") if searched => (Sort::Relevance, List::ProductsRelevance),
        Some("relevance") => (Sort::Newest, List::Products),
        Some("price" | "price_asc") => (Sort::PriceUp, List::ProductsPriceUp),
        Some("-price" | "price_desc") => (Sort::PriceDown, List::ProductsPriceDown),
        Some("rating") => (Sort::Rating, List::ProductsRating),
        Some(_) => return Err(refused("sort takes relevance, newest, price_asc, price_desc or rating".to_owned())),
    };
    let page = params.page(list)?;
    let number: u32 = params.read("page", "a page number from 1")?.unwrap_or(1);
    if !(1..=OLD_PAGE_MAX).contains(&number) || (number > 1 && page.after.is_some()) {
        return Err(refused(format!("page takes 1 to {OLD_PAGE_MAX}, without a cursor; use the cursor to go further")));
    }
    let text = |name: &str| match params.text(name) {
        Some(text) if text.chars().count() > SEARCH_CHARS_MAX => {
            Err(refused(format!("{name} takes at most {SEARCH_CHARS_MAX} characters")))
        }
        text => Ok(text.map(str::to_owned)),
    };
    let price = |name: &str| Ok::<_, Refusal>(params.read::<Money>(name, "an amount such as 12.50")?.map(Money::cents));
    let selection = Selection {
        category: text("category")?,
        search: text("search")?,
        price_cents_min: price("minPrice")?,
        price_cents_max: price("maxPrice")?,
        sort,
        page,
        skip: (number - 1) * u32::from(page.limit),
    };
    Ok((selection, list))
}

fn list_key(selection: &Selection) -> Key {
    Key::new(Kind::ProductList, family::of(selection))
}

fn list_now(glance: &Glance<'_>) -> Option<Response<Bytes>> {
    let (selection, list) = selection(&Params::parse(glance.query, SELECTION).ok()?).ok()?;
    let of = (list_key(&selection), Query::Products(selection));
    let rows = read::now(glance.client, |sight| read::list(sight, ANYONE, of.clone(), Kind::Product))?;
    Some(respond::rows(glance.headers, list, &rows, Caching::Shared))
}

async fn list(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let (selection, list) = selection(&exchange.params()?)?;
    let of = (list_key(&selection), Query::Products(selection));
    let rows = read::complete(exchange.client(), &exchange.call(), |sight| read::list(sight, ANYONE, of.clone(), Kind::Product)).await?;
    Ok(respond::rows(&exchange.headers, list, &rows, Caching::Shared))
}

fn product_now(glance: &Glance<'_>) -> Option<Response<Bytes>> {
    let product = read::open_now(glance.client, &Key::new(Kind::Product, *glance.ids.first()?))?;
    glance.query.is_empty().then(|| respond::view(glance.headers, &product, Caching::Shared))
}

async fn product(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let product = for_sale(&exchange, first(&exchange)).await?;
    Ok(respond::view(&exchange.headers, &product, Caching::Shared))
}

/// A product that is there for everyone whom its seller has not blocked: what only the seller sees is not there for a buyer.
async fn for_sale(exchange: &Exchange, id: Uuid) -> Result<Arc<Snapshot>, Refusal> {
    let (viewer, key) = (exchange.viewer(), Key::new(Kind::Product, id));
    let product = read::complete(exchange.client(), &exchange.call(), |sight| read::one(sight, viewer, key)).await?;
    product.filter(|product| product.view.audience == Audience::Everyone).ok_or_else(|| ErrorCode::NotFound.into())
}

/// Who sells a product.
fn seller(product: &Snapshot) -> Result<UserId, Refusal> {
    if let Fact::By(seller) = product.view.fact { Ok(seller) } else { Err(ErrorCode::Internal.into()) }
}

async fn create(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let command = Command::Product(product::Command::Create(read_json(&body)?));
    let reply = exchange.client().write(&exchange.create(&body)?, Key::new(Kind::Product, ProductId::new()), command).await?;
    Ok(respond::reply(reply))
}

async fn update(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    write(&exchange, product::Command::Update(read_json(&body)?)).await
}

async fn delete(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    write(&exchange, product::Command::Delete).await
}

/// Changes a product. Whoever may not see it learns nothing but that: 404 before 403.
async fn write(exchange: &Exchange, command: product::Command) -> Answered {
    let (viewer, key) = (exchange.viewer(), Key::new(Kind::Product, first(exchange)));
    if !actors::visibility::moderates(&exchange.principal) {
        let seen = read::complete(exchange.client(), &exchange.call(), |sight| read::one(sight, viewer, key)).await?;
        seen.ok_or(ErrorCode::NotFound)?;
    }
    Ok(respond::reply(exchange.client().write(&exchange.change()?, key, Command::Product(command)).await?))
}

async fn of_seller(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let page = exchange.params()?.page(List::SellerProducts)?;
    let (viewer, of) = (exchange.viewer(), (Key::new(Kind::SellerProducts, first(&exchange)), Query::Posts(page)));
    let rows = read::complete(exchange.client(), &exchange.call(), |sight| read::list(sight, viewer, of.clone(), Kind::Product)).await?;
    Ok(respond::rows(&exchange.headers, List::SellerProducts, &rows, Caching::Private))
}

async fn place_order(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let new: NewOrder = read_json(&body)?;
    let key = Key::new(Kind::Product, new.product_id);
    // Whether it is for sale its owner says; from whom one may not know of, one buys nothing.
    let product = exchange.client().view(&exchange.call(), key).await?;
    if let Fact::By(seller) = product.view.fact {
        person(&exchange, seller).await?;
    }
    let reply = exchange.client().write(&exchange.create(&body)?, key, Command::Product(product::Command::Order(new))).await?;
    Ok(respond::reply(reply))
}

async fn read_order(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let user = exchange.user()?;
    let order = exchange.client().view(&exchange.call(), Key::new(Kind::Order, first(&exchange))).await?;
    match order.view.fact {
        Fact::Between { buyer, seller } if user == buyer || user == seller => {
            Ok(respond::view(&exchange.headers, &order, Caching::Private))
        }
        _ => Err(ErrorCode::NotFound.into()),
    }
}

async fn change_order(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let command = Command::Order(order::Command::Change(read_json(&body)?));
    Ok(respond::reply(exchange.client().write(&exchange.change()?, Key::new(Kind::Order, first(&exchange)), command).await?))
}

async fn orders(exchange: Arc<Exchange>, buyer: bool) -> Answered {
    let (kind, list) = if buyer { (Kind::BuyerOrders, List::BuyerOrders) } else { (Kind::SellerOrders, List::SellerOrders) };
    let page = exchange.params()?.page(list)?;
    let part = exchange.client().query(&exchange.call(), Key::new(kind, first(&exchange)), Query::Orders(page)).await?;
    Ok(respond::array(&exchange.headers, Some(list), &part, Caching::Private))
}
