// A peer of the platform's reads: Fastify and pg on the same tables, with the same bodies. It does what its documentation recommends: a pool of
// connections that stay open, named prepared statements, response schemas (so that JSON is written by generated code), logging off.
//
//   NODE_ENV=production PORT=9001 USERS_URL=postgres://… SHOP_URL=postgres://… [REDIS_URL=redis://…] node server.js
//
// With REDIS_URL its reads are cache-aside over ioredis, and JSON is stored and sent as it is; without, every read asks PostgreSQL.
import Fastify from "fastify";
import { Redis } from "ioredis";
import pg from "pg";
import { cacheAside } from "../node/cache.mjs";
import * as rows from "../node/rows.mjs";

const pool = (url) => new pg.Pool({ connectionString: url, max: 10, keepAlive: true });
const users = pool(process.env.USERS_URL);
const shop = pool(process.env.SHOP_URL);
const cache = process.env.REDIS_URL && cacheAside(new Redis(process.env.REDIS_URL, { enableAutoPipelining: true }));

const text = { type: "string" };
const maybe = { type: "string", nullable: true };
const texts = { type: "array", items: text };
const object = (properties) => ({ type: "object", properties });
const PRODUCT = object({
  id: text, sellerId: text, name: text, description: maybe, price: text, currency: text, images: texts, category: maybe,
  stock: { type: "integer" }, isPublic: { type: "boolean" }, isActive: { type: "boolean" }, ratingAverage: { type: "number", nullable: true },
  ratingCount: { type: "integer" }, createdAt: text, updatedAt: text, version: { type: "integer" },
});
const SKILL = object({ id: text, name: text, level: text, endorsements: { type: "integer" }, createdAt: text });
const PERSON = object({
  id: text, username: text, firstName: maybe, lastName: maybe, bio: maybe, avatar: maybe, role: text, isActive: { type: "boolean" },
  profile: object({
    location: maybe, website: maybe, company: maybe, jobTitle: maybe, interests: texts,
    socialLinks: { type: "object", additionalProperties: text },
  }),
  skills: { type: "array", items: SKILL }, createdAt: text, updatedAt: text, version: { type: "integer" },
});
const LIST = (items) => object({ items: { type: "array", items } });
const PAGE = object({ items: { type: "array", items: PRODUCT }, nextCursor: maybe });
const answers = (schema) => ({ schema: { response: { 200: schema } } });

const app = Fastify({ logger: false, keepAliveTimeout: 65_000 });
app.get("/health", async () => ({ status: "ok" }));

const missing = (reply) => reply.code(404).send({ error: "not found" });
const firstOf = async (database, query) => (await database.query(query)).rows[0];
const one = (path, database, query, schema, render, namespace) => {
  if (cache) {
    app.get(path, async ({ params: { id } }, reply) => {
      const load = async () => {
        const row = await firstOf(database, query(id));
        return row === undefined ? null : reply.serializeInput(render(row), schema);
      };
      const json = await cache.one(namespace, id, load);
      return json === null ? missing(reply) : reply.type("application/json").send(json);
    });
  } else {
    app.get(path, answers(schema), async ({ params: { id } }, reply) => {
      const row = await firstOf(database, query(id));
      if (row === undefined) return missing(reply);
      reply.header("etag", `"${row.version}"`).header("cache-control", "public, no-cache");
      return render(row);
    });
  }
};
one("/products/:id", shop, rows.productById, PRODUCT, rows.product, "shop:product");
one("/profile/:id", users, rows.personById, PERSON, rows.person, "user:profile");

app.get("/products", async ({ query }, reply) => {
  const { after, limit } = rows.pageOf(query);
  const load = async () => {
    const { rows: found } = await shop.query(rows.productsNewest(after, limit + 1));
    return reply.serializeInput(rows.productPage(found, limit), PAGE);
  };
  const json = cache ? await cache.page("shop:products", "newest", `${limit}:${after}`, load) : await load();
  return reply.type("application/json").send(json);
});

const change = (path, database, changeOf, update, schema, render, touched) =>
  app.put(path, answers(schema), async ({ params: { id }, body }, reply) => {
    const values = changeOf(body ?? undefined);
    if (values === null) return reply.code(422).send({ error: "not a change" });
    const row = await firstOf(database, update(id, ...values));
    if (cache) await cache.forget(...touched(id));
    return row === undefined ? missing(reply) : render(row);
  });
change("/products/:id", shop, rows.changeOfProduct, rows.productUpdate, PRODUCT, rows.product, (id) => [["shop:product", id], ["shop:products", "newest"]]);
change("/profile/:id", users, rows.changeOfPerson, rows.personUpdate, PERSON, rows.person, (id) => [["user:profile", id]]);

const search = (path, database, query, schema, render) =>
  app.get(path, answers(LIST(schema)), async (request) => {
    const { rows: found } = await database.query(query(rows.like(String(request.query.q ?? ""))));
    return { items: found.map(render) };
  });
search("/search/products", shop, rows.productsLike, PRODUCT, rows.product);
search("/search/people", users, rows.peopleLike, PERSON, rows.person);

await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT ?? 9001) });
