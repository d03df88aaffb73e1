//! The shop service: products and orders.

use super::{ANYONE, Answered, PAGE, first, person};
use crate::{
    cursor::{List, Params, refused},
    exchange::{Exchange, read_json},
    respond::{self, Caching},
    route::{Auth, Glance, Route, Service::Shop},
};
use actors::{entity::family, read};
use bytes::Bytes;
use http::{Method, Response};
use protocol::{
    Command, ErrorCode, Fact, Key, Kind, Money, ProductId, Query, Refusal,
    order::NewOrder,
    product::{self, Selection, Sort},
};
use std::sync::Arc;

/// The service's routes.
pub fn routes() -> Vec<Route> {
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
        Route::new((Shop, Method::POST, "/orders"), Auth::Token, "Buy some of a product.", order),
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
    let (sort, list) = match params.text("sort") {
        None | Some("newest") => (Sort::Newest, List::Products),
        Some("price" | "price_asc") => (Sort::PriceUp, List::ProductsPriceUp),
        Some("-price" | "price_desc") => (Sort::PriceDown, List::ProductsPriceDown),
        Some(_) => return Err(refused("sort takes newest, price_asc or price_desc".to_owned())),
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
    Key::new(Kind::ProductList, if selection.depends_on_price() { family::PRODUCTS_BY_PRICE } else { family::PRODUCTS })
}

fn list_now(glance: &Glance<'_>) -> Option<Response<Bytes>> {
    let (selection, list) = selection(&Params::parse(glance.query, SELECTION).ok()?).ok()?;
    let of = (list_key(&selection), Query::Products(selection));
    let rows = read::now(&glance.edge.client, |sight| read::list(sight, ANYONE, of.clone(), Kind::Product))?;
    Some(respond::rows(glance.headers, list, &rows, Caching::Shared))
}

async fn list(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let (selection, list) = selection(&exchange.params()?)?;
    let of = (list_key(&selection), Query::Products(selection));
    let rows = read::complete(exchange.client(), &exchange.call(), |sight| read::list(sight, ANYONE, of.clone(), Kind::Product)).await?;
    Ok(respond::rows(&exchange.headers, list, &rows, Caching::Shared))
}

fn product_now(glance: &Glance<'_>) -> Option<Response<Bytes>> {
    let product = read::open_now(&glance.edge.client, &Key::new(Kind::Product, *glance.ids.first()?))?;
    glance.query.is_empty().then(|| respond::view(glance.headers, &product, Caching::Shared))
}

async fn product(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let key = Key::new(Kind::Product, first(&exchange));
    let product = read::complete(exchange.client(), &exchange.call(), |sight| read::one(sight, ANYONE, key)).await?;
    let product = product.ok_or(ErrorCode::NotFound)?;
    Ok(respond::view(&exchange.headers, &product, Caching::Shared))
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

async fn order(exchange: Arc<Exchange>, body: Bytes) -> Answered {
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

async fn orders(exchange: Arc<Exchange>, buyer: bool) -> Answered {
    let (kind, list) = if buyer { (Kind::BuyerOrders, List::BuyerOrders) } else { (Kind::SellerOrders, List::SellerOrders) };
    let page = exchange.params()?.page(list)?;
    let part = exchange.client().query(&exchange.call(), Key::new(kind, first(&exchange)), Query::Orders(page)).await?;
    Ok(respond::array(&exchange.headers, Some(list), &part, Caching::Private))
}
