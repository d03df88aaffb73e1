// A peer of the platform's reads: Express, ioredis and pg on the same tables, with the same bodies, cache-aside. It does what the documentation of its
// parts recommends for production: what answers do not need is off (X-Powered-By, ETag, nested query strings), connections stay open, statements
// are prepared, commands to Redis of one turn of the loop go out together, bodies are parsed only where there are any.
//
//   NODE_ENV=production PORT=9001 USERS_URL=postgres://… SHOP_URL=postgres://… REDIS_URL=redis://… node server.js
import express from "express";
import { Redis } from "ioredis";
import pg from "pg";
import { cacheAside } from "../node/cache.mjs";
import * as rows from "../node/rows.mjs";

const pool = (url) => new pg.Pool({ connectionString: url, max: 10, keepAlive: true });
const users = pool(process.env.USERS_URL);
const shop = pool(process.env.SHOP_URL);
const cache = cacheAside(new Redis(process.env.REDIS_URL, { enableAutoPipelining: true }));

const app = express();
app.disable("x-powered-by");
app.disable("etag");
app.set("query parser", "simple");

const answer = (response, json) => (json === null ? response.status(404).json({ error: "not found" }) : response.type("json").send(json));
const firstOf = async (database, query, render) => {
  const { rows: found } = await database.query(query);
  return found.length === 0 ? null : JSON.stringify(render(found[0]));
};

app.get("/health", (request, response) => response.json({ status: "ok" }));
app.get("/products/:id", async ({ params: { id } }, response) => {
  answer(response, await cache.one("shop:product", id, () => firstOf(shop, rows.productById(id), rows.product)));
});
app.get("/profile/:id", async ({ params: { id } }, response) => {
  answer(response, await cache.one("user:profile", id, () => firstOf(users, rows.personById(id), rows.person)));
});
app.get("/products", async ({ query }, response) => {
  const { after, limit } = rows.pageOf(query);
  const load = async () => {
    const { rows: found } = await shop.query(rows.productsNewest(after, limit + 1));
    return JSON.stringify(rows.productPage(found, limit));
  };
  answer(response, await cache.page("shop:products", "newest", `${limit}:${after}`, load));
});

const body = express.json();
app.put("/products/:id", body, async (request, response) => {
  const { id } = request.params;
  const change = rows.changeOfProduct(request.body);
  if (change === null) return response.status(422).json({ error: "not a change of a product" });
  const json = await firstOf(shop, rows.productUpdate(id, ...change), rows.product);
  await cache.forget(["shop:product", id], ["shop:products", "newest"]);
  return answer(response, json);
});
app.put("/profile/:id", body, async (request, response) => {
  const { id } = request.params;
  const change = rows.changeOfPerson(request.body);
  if (change === null) return response.status(422).json({ error: "not a change of a person" });
  const json = await firstOf(users, rows.personUpdate(id, ...change), rows.person);
  await cache.forget(["user:profile", id]);
  return answer(response, json);
});

const server = app.listen(Number(process.env.PORT ?? 9001), "127.0.0.1");
// As behind a load balancer that keeps connections open.
server.keepAliveTimeout = 65_000;
