// The people and things that the scripts read and change, made through the public API, and the requests of each kind. A kind is called as `loadtest run` calls it.

import http from 'k6/http';
import { check, fail } from 'k6';

const BASE = (__ENV.BASE || 'http://127.0.0.1:8000').replace(/\/+$/, '');
const PEOPLE = Number(__ENV.PEOPLE || 20);
const POSTS = Number(__ENV.POSTS || 100);
const PRODUCTS = Number(__ENV.PRODUCTS || 50);
const FOLLOWS = 10;
const PAGE_ITEMS = 20;

// The open model: iterations begin at this rate, whether the platform keeps up or not.
export function options() {
  const rate = Number(__ENV.RATE || 100);
  return {
    scenarios: {
      load: {
        executor: 'constant-arrival-rate',
        rate,
        timeUnit: '1s',
        duration: __ENV.DURATION || '30s',
        preAllocatedVUs: 50,
        maxVUs: 500,
      },
    },
    thresholds: {
      http_req_failed: ['rate<0.01'],
      'http_req_duration{scenario:load}': ['p(99)<500'],
      // What found nobody to send it was not sent at all.
      dropped_iterations: ['count<1'],
    },
    summaryTrendStats: ['med', 'p(90)', 'p(99)', 'max'],
  };
}

function params(token, kind) {
  // Addresses differ by ids: k6 is to count by kinds.
  const tags = { name: kind || 'setup' };
  const headers = { 'Content-Type': 'application/json' };
  return { tags, headers: token ? { ...headers, Authorization: `Bearer ${token}` } : headers };
}

function made(path, body, token) {
  const answer = http.post(`${BASE}${path}`, JSON.stringify(body), params(token));
  if (answer.status !== 201) fail(`${path} was answered ${answer.status}: ${answer.body}`);
  return answer.json();
}

export function setup() {
  const prefix = `k6${Date.now().toString(36)}`;
  const people = Array.from({ length: PEOPLE }, (_, number) => {
    const username = `${prefix}_${number}`;
    const { token, user } = made('/api/user/register', { username, email: `${username}@load.example`, password: 'correct horse battery staple' });
    return { id: user.id, token };
  });
  const one = (number) => people[number % people.length];
  const posts = Array.from({ length: POSTS }, (_, number) => made('/api/content/posts', { content: `The ${number}th morning at the harbour. `.repeat(6) }, one(number).token).id);
  const product = (number) => ({ name: `Thing ${number}`, description: 'A bicycle for the mountain road. '.repeat(9), price: '12.50', stock: 1000 });
  const products = Array.from({ length: PRODUCTS }, (_, number) => made('/api/shop/products', product(number), one(number).token).id);
  people.forEach((person, number) => {
    for (let step = 1; step <= Math.min(FOLLOWS, people.length - 1); step += 1) {
      http.put(`${BASE}/api/user/users/${one(number + step).id}/follow`, null, params(person.token));
    }
  });
  return { people, posts, products };
}

// The first are the most popular: Zipf with exponent 1, nearly, by its continuous form.
function popular(all) {
  return all[Math.min(all.length - 1, Math.floor(Math.exp(Math.random() * Math.log(all.length + 1))) - 1)];
}

const get = (kind, path, token) => http.get(`${BASE}${path}`, params(token, kind));

const KINDS = {
  profile: ({ people }) => get('profile', `/api/user/profile/${popular(people).id}`),
  product: ({ products }) => get('product', `/api/shop/public/products/${popular(products)}`),
  post: ({ posts }) => get('post', `/api/content/posts/${popular(posts)}`),
  'product-list': () => get('product-list', `/api/shop/public/products?limit=${PAGE_ITEMS}`),
  'post-list': () => get('post-list', `/api/content/public/posts?limit=${PAGE_ITEMS}`),
  feed: ({ people }) => {
    const person = popular(people);
    return get('feed', `/api/content/feed/${person.id}?limit=${PAGE_ITEMS}`, person.token);
  },
  'create-post': ({ people }) => http.post(`${BASE}/api/content/posts`, JSON.stringify({ content: `At ${Date.now()}. `.repeat(12) }), params(popular(people).token, 'create-post')),
  'change-profile': ({ people }) => {
    const person = popular(people);
    return http.put(`${BASE}/api/user/profile/${person.id}`, JSON.stringify({ bio: `Since ${Date.now()}. `.repeat(8) }), params(person.token, 'change-profile'));
  },
};

// Sends one request of a mix of [kind, parts per hundred].
export function send(mix, population) {
  let left = Math.random() * 100;
  const [kind] = mix.find(([, parts]) => (left -= parts) < 0) || mix[0];
  check(KINDS[kind](population), { 'answered 2xx': (answer) => answer.status >= 200 && answer.status < 300 });
}
