//! Products and orders.

use crate::make::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use protocol::order::{Order, Status};
use protocol::product::{Product, Selection, Sort};
use protocol::{Money, OrderId, Page, ProductId, UserId};
use store::{CommitError, Ids, ShopWrite, Stores};
use uuid::Uuid;

pub async fn create(stores: &Stores, product: &Product) {
    let committed = stores.shop.commit(selling(product, ShopWrite::CreateProduct)).await.expect("created");
    assert_eq!(committed.version, 1);
}

pub async fn select(stores: &Stores, selection: &Selection) -> Vec<Uuid> {
    walk(selection.page.limit, async |page| {
        let Ids { ids, next } = stores.shop.products(Selection { page, ..selection.clone() }).await.expect("a page");
        (ids, next)
    })
    .await
}

pub async fn a_product_is_read_as_written(stores: Stores) {
    let full = Product {
        description: Some("warm 'light'".to_owned()),
        price: Money::MAX,
        currency: "PLN".to_owned(),
        images: vec!["/a.png".to_owned(), "https://example.org/\"".to_owned()],
        category: Some("lamps".to_owned()),
        stock: protocol::product::STOCK_MAX,
        is_public: false,
        is_active: false,
        updated_at: NOW.plus_ms(1),
        ..product(UserId::new(), 0)
    };
    for product in [full, product(UserId::new(), 0)] {
        create(&stores, &product).await;
        assert_eq!(stores.shop.product(product.id).await.expect("a read"), Some(product.clone()));
        let again = stores.shop.commit(selling(&product, ShopWrite::CreateProduct)).await;
        assert!(matches!(again, Err(CommitError::Conflict)), "an id is used once");
    }
    assert_eq!(stores.shop.product(ProductId::new()).await.expect("a read"), None);
}

pub async fn a_product_is_saved_version_by_version(stores: Stores) {
    let first = product(UserId::new(), 100);
    create(&stores, &first).await;
    let next = Product { price: Money::from_cents(250).expect("a price"), stock: 0, category: Some("c".to_owned()), version: 2, ..first };
    let save = || stores.shop.commit(selling(&next, ShopWrite::SaveProduct));
    assert_eq!(save().await.expect("saved").version, 2);
    assert_eq!(stores.shop.product(next.id).await.expect("a read"), Some(next.clone()));
    assert!(matches!(save().await, Err(CommitError::Conflict)));
}

pub async fn an_order_takes_stock_or_is_not_made(stores: Stores) {
    let lamp = product(UserId::new(), 1250);
    create(&stores, &lamp).await;
    let (first, second) = (order(&lamp, UserId::new()), order(&lamp, UserId::new()));
    let next = Product { stock: 8, version: 2, ..lamp.clone() };
    let place =
        |product: &Product, order: &Order| stores.shop.commit(selling(product, |p| ShopWrite::PlaceOrder(p, Box::new(order.clone()))));
    assert_eq!(place(&next, &first).await.expect("ordered").version, 2);
    // Two who saw the same stock: one of them reads again.
    assert!(matches!(place(&next, &second).await, Err(CommitError::Conflict)));
    assert_eq!(stores.shop.order_product(first.id).await.expect("a read"), Some(lamp.id));
    assert_eq!(stores.shop.order_product(second.id).await.expect("a read"), None);
    assert_eq!(stores.shop.order_product(OrderId::new()).await.expect("a read"), None);
    assert_eq!(stores.shop.product(lamp.id).await.expect("a read").expect("the product").stock, 8);
    let third = Product { stock: 6, version: 3, ..next };
    assert!(matches!(place(&third, &first).await, Err(CommitError::Conflict)), "an order's id is used once");
    let stray = Order { product_id: ProductId::new(), ..second };
    assert!(matches!(place(&third, &stray).await, Err(CommitError::Missing("product"))));
    assert_eq!(stores.shop.product(lamp.id).await.expect("a read").expect("the product").stock, 8);
    let (rows, _) = stores.shop.orders(first.buyer_id, true, Page::default()).await.expect("a page");
    assert_eq!(rows, [first]);
}

pub async fn orders_are_paged_newest_first(stores: Stores) {
    let (buyer, seller) = (UserId::new(), UserId::new());
    let mut lamp = product(seller, 1250);
    create(&stores, &lamp).await;
    let mut expected = Vec::new();
    for n in 0..7 {
        let status = [Status::Pending, Status::Confirmed, Status::Shipped, Status::Delivered, Status::Cancelled][n % 5];
        let order = Order { status, payment_method: None, quantity: n as u32 + 1, ..order(&lamp, buyer) };
        lamp.version += 1;
        stores.shop.commit(selling(&lamp, |p| ShopWrite::PlaceOrder(p, Box::new(order.clone())))).await.expect("ordered");
        expected.insert(0, order);
    }
    for (person, as_buyer) in [(buyer, true), (seller, false)] {
        for limit in [1, 3, 7, 8] {
            let read = walk(limit, async |page| stores.shop.orders(person, as_buyer, page).await.expect("a page"));
            assert_eq!(read.await, expected, "by pages of {limit}");
        }
        assert_eq!(stores.shop.orders(person, !as_buyer, Page::default()).await.expect("a page"), (vec![], None));
    }
}

/// Random shops and selections, against the same selection of the rows in memory.
pub async fn products_are_selected_as_asked(stores: Stores) {
    let category = || prop::option::of(prop::sample::select(vec!["lamps", "chairs", ""]));
    let shop = prop::collection::vec((0..6i64, category(), any::<[bool; 3]>(), prop::option::of("[ab]{0,3}")), 0..25);
    let range = || prop::option::of(prop_oneof![-1..7i64, Just(i64::MIN), Just(i64::MAX)]);
    let sort = prop::sample::select(vec![Sort::Newest, Sort::PriceUp, Sort::PriceDown, Sort::Rating, Sort::Relevance]);
    let search = prop::option::of(prop::sample::select(vec!["", "a", "B", "ab", "lamp", "a LA", "chair", "bb a", "-"]));
    let selection = (category(), search, range(), range(), sort, 1..6u16);
    let cases = (shop, prop::collection::vec(selection, 8));
    let mut runner = TestRunner::new(Config { cases: 16, failure_persistence: None, ..Config::default() });
    let mut rows = Vec::new();
    tokio::task::block_in_place(|| {
        let runtime = tokio::runtime::Handle::current();
        let rows = std::cell::RefCell::new(&mut rows);
        runner.run(&cases, |(shop, selections)| {
            for (cents, category, [is_public, is_active, deleted], text) in shop {
                let category = category.map(str::to_owned);
                let product = Product { category, is_public, is_active, deleted, description: text, ..product(UserId::new(), cents) };
                runtime.block_on(create(&stores, &product));
                rows.borrow_mut().push(product);
            }
            for (category, search, price_cents_min, price_cents_max, sort, limit) in selections {
                let (category, search) = (category.map(str::to_owned), search.map(str::to_owned));
                let page = Page::first(limit);
                let selection = Selection { category, search, price_cents_min, price_cents_max, sort, page, skip: 0 };
                let read = runtime.block_on(select(&stores, &selection));
                let mut read = read;
                if selection.search.is_some() && sort == Sort::Relevance {
                    // How well each fits is `search`'s matter: here it is that all are there, each once.
                    read.sort_by_key(|id| std::cmp::Reverse(*id));
                }
                prop_assert_eq!(read, expected(&rows.borrow(), &selection), "{:?}", selection);
            }
            Ok(())
        })
    })
    .expect("every selection is as asked");
}

fn expected(rows: &[Product], selection: &Selection) -> Vec<Uuid> {
    let words =
        |text: &str| text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect::<Vec<_>>();
    let fits = |p: &Product| {
        let of_product = [Some(&p.name), p.category.as_ref(), p.description.as_ref()].into_iter().flatten().flat_map(|t| words(t));
        let of_product: Vec<_> = of_product.collect();
        selection.search.as_ref().is_none_or(|search| {
            let asked = words(search);
            !asked.is_empty() && asked.iter().all(|word| of_product.iter().any(|w| w.starts_with(word)))
        })
    };
    let mut rows: Vec<&Product> = rows
        .iter()
        .filter(|p| p.is_public && p.is_active && !p.deleted)
        .filter(|p| selection.category.is_none() || p.category == selection.category)
        .filter(|p| fits(p))
        .filter(|p| selection.price_cents_min.is_none_or(|least| p.price.cents() >= least))
        .filter(|p| selection.price_cents_max.is_none_or(|most| p.price.cents() <= most))
        .collect();
    match selection.sort {
        // Nobody has judged any of them.
        Sort::Newest | Sort::Rating | Sort::Relevance => rows.sort_by_key(|p| std::cmp::Reverse(p.id)),
        Sort::PriceUp => rows.sort_by_key(|p| (p.price, p.id)),
        Sort::PriceDown => rows.sort_by_key(|p| std::cmp::Reverse((p.price, p.id))),
    }
    rows.iter().map(|p| p.id.0).collect()
}

pub async fn a_selection_skips(stores: Stores) {
    let mut ids = Vec::new();
    for cents in 0..7 {
        let product = product(UserId::new(), cents);
        create(&stores, &product).await;
        ids.push(product.id.0);
    }
    let page = async |skip| {
        let selection = Selection { sort: Sort::PriceUp, page: Page::first(3), skip, ..Selection::default() };
        stores.shop.products(selection).await.expect("a page")
    };
    for (skip, rows, more) in
        [(0, 0..3, true), (3, 3..6, true), (4, 4..7, false), (6, 6..7, false), (7, 7..7, false), (u32::MAX, 7..7, false)]
    {
        let read = page(skip).await;
        assert_eq!((&read.ids[..], read.next.is_some()), (&ids[rows], more), "skip {skip}");
    }
    // From a page that was reached by skipping one goes on by position.
    let next = Page { after: page(3).await.next, limit: 3 };
    let rest = stores.shop.products(Selection { sort: Sort::PriceUp, page: next, ..Selection::default() }).await.expect("a page");
    assert_eq!(rest.ids, ids[6..]);
}

pub async fn sellers_see_what_is_not_listed(stores: Stores) {
    let seller = UserId::new();
    let mut expected = Vec::new();
    for [is_public, is_active, deleted] in [[true, true, false], [false, true, false], [true, false, false], [true, true, true]] {
        let product = Product { is_public, is_active, deleted, ..product(seller, 100) };
        create(&stores, &product).await;
        if !deleted {
            expected.insert(0, product.id.0);
        }
    }
    create(&stores, &product(UserId::new(), 100)).await;
    for limit in [1, 2, 3] {
        let read = walk(limit, async |page| {
            let Ids { ids, next } = stores.shop.seller_products(seller, page).await.expect("a page");
            (ids, next)
        });
        assert_eq!(read.await, expected, "by pages of {limit}");
    }
}
