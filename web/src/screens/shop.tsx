/** What is for sale. */
import type { FormEvent } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useMe } from '../api/account';
import { type ProductSearch, useProducts } from '../api/shop';
import { Field, SelectField, text } from '../components/field';
import { PagedList, Skeleton } from '../components/notice';
import { ProductCard } from '../components/product-card';
import { Screen } from '../components/screen';

const PRICE = '[0-9]{1,8}([.][0-9]{1,2})?';
const PARTS = ['search', 'category', 'minPrice', 'maxPrice', 'sort'] as const;

export default function ShopScreen() {
  const me = useMe();
  const [params, setParams] = useSearchParams();
  const search: ProductSearch = Object.fromEntries(PARTS.flatMap((part) => (params.get(part) ? [[part, params.get(part)]] : [])));
  const products = useProducts(search);
  const find = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setParams(Object.fromEntries(PARTS.flatMap((part) => (text(form, part) ? [[part, text(form, part) ?? '']] : []))));
  };
  return (
    <Screen
      title="Shop"
      wide
      actions={
        me && (
          <Link className="button quiet" to="/shop/new">
            Sell something
          </Link>
        )
      }
    >
      <form key={params.toString()} role="search" className="stack" onSubmit={find}>
        <div className="search">
          <input name="search" type="search" aria-label="What are you looking for?" placeholder="What are you looking for?" defaultValue={search.search ?? ''} />
          <button type="submit" className="button">
            Search
          </button>
        </div>
        <details open={PARTS.some((part) => part !== 'search' && search[part])}>
          <summary>Filter and sort</summary>
          <div className="filters">
            <Field label="Category" name="category" defaultValue={search.category ?? ''} />
            <Field label="From" name="minPrice" inputMode="decimal" pattern={PRICE} defaultValue={search.minPrice ?? ''} />
            <Field label="Up to" name="maxPrice" inputMode="decimal" pattern={PRICE} defaultValue={search.maxPrice ?? ''} />
            <SelectField label="Sort by" name="sort" defaultValue={search.sort ?? ''}>
              <option value="">{search.search ? 'What fits best' : 'Newest'}</option>
              {search.search && <option value="newest">Newest</option>}
              <option value="price_asc">Cheapest</option>
              <option value="price_desc">Dearest</option>
              <option value="rating">Best reviews</option>
            </SelectField>
          </div>
        </details>
      </form>
      <PagedList
        pages={products}
        id={(product) => product.id}
        render={(product) => <ProductCard product={product} />}
        className="tiles"
        label="Products"
        skeleton={<Skeleton rows={12} kind="tile" />}
        empty={<p>Nothing was found.</p>}
      />
    </Screen>
  );
}
