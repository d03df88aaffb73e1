//! Products by their words.

use super::product::{create, select};
use crate::make::*;
use protocol::product::{Product, Selection, Sort};
use protocol::{Money, Page, UserId};
use store::{ShopWrite, Stores};
use uuid::Uuid;

async fn offer(stores: &Stores, name: &str, category: Option<&str>, description: Option<&str>) -> Product {
    let (category, description) = (category.map(str::to_owned), description.map(str::to_owned));
    let product = Product { name: name.to_owned(), category, description, ..product(UserId::new(), 100) };
    create(stores, &product).await;
    product
}

fn for_text(text: &str) -> Selection {
    Selection { search: Some(text.to_owned()), sort: Sort::Relevance, ..Selection::default() }
}

async fn found(stores: &Stores, text: &str) -> Vec<Uuid> {
    select(stores, &for_text(text)).await
}

pub async fn words_are_found_whatever_their_case_and_accents(stores: Stores) {
    let mut ids = Vec::new();
    for (name, description) in [("100% wool", None), ("Café chair", Some("soft_warm")), ("ŁÓDKA", Some("Żagiel")), ("東京 softX", None)]
    {
        ids.push(offer(&stores, name, None, description).await.id.0);
    }
    let cases: [(&str, &[usize]); 14] = [
        ("WOOL", &[0]),
        ("100%", &[0]),
        ("wool 100", &[0]),
        ("cafe", &[1]),
        ("CAFÉ CHAI", &[1]),
        ("łódka", &[2]),
        ("żAGIEL", &[2]),
        ("zagiel", &[2]),
        ("soft", &[3, 1]),
        ("warm so", &[1]),
        ("東", &[3]),
        ("oft", &[]),
        ("wool chair", &[]),
        ("c", &[1]),
    ];
    for (text, expected) in cases {
        let expected: Vec<_> = expected.iter().map(|n| ids[*n]).collect();
        assert_eq!(found(&stores, text).await, expected, "{text:?}");
    }
}

pub async fn a_search_follows_its_products(stores: Stores) {
    let first = offer(&stores, "walnut lamp", Some("lamps"), None).await;
    let id = first.id.0;
    let save = async |next: &Product| {
        stores.shop.commit(selling(next, ShopWrite::SaveProduct)).await.expect("saved");
    };
    let sold = Product { stock: 3, version: 2, ..first };
    save(&sold).await;
    assert_eq!(found(&stores, "walnut").await, [id]);
    let renamed = Product { name: "oak lamp".to_owned(), description: Some("of solid wood".to_owned()), version: 3, ..sold };
    save(&renamed).await;
    assert_eq!((found(&stores, "walnut").await, found(&stores, "oak wood").await), (vec![], vec![id]));
    let moved = Product { category: Some("lights".to_owned()), price: Money::from_cents(900).expect("a price"), version: 4, ..renamed };
    save(&moved).await;
    let in_range = |least, most, category: &str| Selection {
        category: Some(category.to_owned()),
        price_cents_min: Some(least),
        price_cents_max: Some(most),
        ..for_text("oak")
    };
    assert_eq!(select(&stores, &in_range(900, 900, "lights")).await, [id]);
    assert_eq!(select(&stores, &in_range(100, 899, "lights")).await, [] as [Uuid; 0]);
    assert_eq!(select(&stores, &in_range(900, 900, "lamps")).await, [] as [Uuid; 0]);
    let hidden = Product { is_public: false, version: 5, ..moved };
    save(&hidden).await;
    assert_eq!(found(&stores, "oak").await, [] as [Uuid; 0]);
    let quiet = Product { name: "ash lamp".to_owned(), version: 6, ..hidden };
    save(&quiet).await;
    let shown = Product { is_public: true, version: 7, ..quiet };
    save(&shown).await;
    assert_eq!((found(&stores, "oak").await, found(&stores, "ash").await), (vec![], vec![id]));
    save(&Product { deleted: true, version: 8, ..shown }).await;
    assert_eq!(found(&stores, "ash").await, [] as [Uuid; 0]);
}

/// A small shop, and for each question what a person would want to see first, best first. What stands in brackets may come in any order.
pub async fn what_fits_best_comes_first(stores: Stores) {
    let shop = [
        ("clamp", "Workshop clamp", Some("tools"), Some("Holds what a lamp lights.")),
        ("shade", "Linen shade", Some("lamps"), Some("Fits any desk lamp.")),
        ("oil", "Oil for lamps", Some("supplies"), None),
        ("floor", "Floor lamp", Some("lamps"), None),
        ("desk", "Desk lamp, brass", Some("lamps"), Some("For desks of all sizes.")),
        ("lamp", "Lamp", Some("lamps"), None),
        ("table", "Desk", Some("furniture"), Some("With room for a lamp.")),
        ("bulb", "Bulb E27", Some("supplies"), Some("For lamps.")),
        ("mug", "Coffee mug", Some("kitchen"), None),
    ];
    let mut names = std::collections::HashMap::new();
    for (label, name, category, description) in shop {
        names.insert(offer(&stores, name, category, description).await.id.0, label);
    }
    let judged: [(&str, &[&[&str]]); 8] = [
        ("lamp", &[&["lamp"], &["desk", "floor"], &["oil"], &["shade"], &["bulb", "table", "clamp"]]),
        ("lamps", &[&["oil"], &["lamp", "desk", "floor", "shade"], &["bulb"]]),
        ("desk lamp", &[&["desk"], &["table", "shade"]]),
        ("lamp desk", &[&["desk"], &["table", "shade"]]),
        ("desk", &[&["table", "desk"], &["shade"]]),
        ("oil lamp", &[&["oil"]]),
        ("coff", &[&["mug"]]),
        ("mug lamp", &[]),
    ];
    for (text, tiers) in judged {
        let mut read: Vec<_> = found(&stores, text).await.into_iter().map(|id| names[&id]).collect();
        assert_eq!(read.len(), tiers.concat().len(), "{text}: {read:?}");
        for tier in tiers {
            let mut first: Vec<_> = read.drain(..tier.len()).collect();
            let mut wanted = tier.to_vec();
            first.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(first, wanted, "{text}");
        }
    }
}

pub async fn a_search_is_paged_without_gaps(stores: Stores) {
    let mut offered = Vec::new();
    for number in 0..11 {
        let (name, category, description) = match number % 4 {
            0 => ("lamp", None, None),
            1 => ("green lamp", Some("lamps"), None),
            2 => ("chair", Some("lamps"), None),
            _ => ("chair", None, Some("by a lamp")),
        };
        offered.push(offer(&stores, name, category, description).await.id.0);
    }
    offered.sort_unstable();
    for sort in [Sort::Relevance, Sort::Newest, Sort::PriceUp, Sort::PriceDown, Sort::Rating] {
        let all = select(&stores, &Selection { sort, page: Page::first(100), ..for_text("lam") }).await;
        let mut each_once = all.clone();
        each_once.sort_unstable();
        assert_eq!(each_once, offered, "{sort:?}");
        for limit in 1..=11 {
            assert_eq!(select(&stores, &Selection { sort, page: Page::first(limit), ..for_text("lam") }).await, all, "{sort:?} by {limit}");
            let skipped = Selection { sort, skip: limit.into(), page: Page::first(4), ..for_text("lam") };
            let page = stores.shop.products(skipped).await.expect("a page");
            let expected: Vec<_> = all.iter().skip(limit.into()).take(4).copied().collect();
            assert_eq!(page.ids, expected, "{sort:?} behind {limit}");
        }
    }
}

pub async fn products_are_sorted_by_rating(stores: Stores) {
    let mut rated = Vec::new();
    for (category, stars) in [("a", vec![]), ("b", vec![5]), ("a", vec![5, 5, 4]), ("b", vec![1, 1]), ("a", vec![3])] {
        let product = offer(&stores, "lamp", Some(category), None).await;
        for rating in stars {
            let review = review(&product, UserId::new(), rating);
            stores.shop.commit(reviewing(&review, ShopWrite::CreateReview)).await.expect("reviewed");
        }
        rated.push(product.id.0);
    }
    let order: Vec<_> = [2, 1, 4, 0, 3].map(|n: usize| rated[n]).to_vec();
    for search in [None, Some("lamp".to_owned())] {
        for limit in [1, 2, 5] {
            let all = Selection { sort: Sort::Rating, search: search.clone(), page: Page::first(limit), ..Selection::default() };
            assert_eq!(select(&stores, &all).await, order, "{search:?} by {limit}");
            let some = Selection { category: Some("a".to_owned()), price_cents_min: Some(100), ..all.clone() };
            assert_eq!(select(&stores, &some).await, [rated[2], rated[4], rated[0]], "{search:?} by {limit}");
            assert_eq!(select(&stores, &Selection { price_cents_min: Some(101), ..all }).await, [] as [Uuid; 0]);
        }
    }
}

pub async fn hostile_texts_find_nothing_and_break_nothing(stores: Stores) {
    let lamp = offer(&stores, "lamp NEAR OR", None, None).await.id.0;
    for text in ["\"", "'", "*", "\"\"\"", "%", "_", "\\", "(", "name :", "^", "-", "\0", "\u{202e}", "🙂", "; DROP TABLE product"] {
        assert_eq!(found(&stores, text).await, [] as [Uuid; 0], "{text:?}");
    }
    // Operators are words like others.
    for text in ["NEAR(lamp", "lamp OR", "\"lamp\"*", "lamp:near", "{lamp}", "lamp -", "^lamp"] {
        assert_eq!(found(&stores, text).await, [lamp], "{text:?}");
    }
    assert_eq!(found(&stores, &"lamp ".repeat(40)).await, [lamp]);
}
