// A peer of the platform's reads: Fastify and pg on the same tables, with the same bodies. It does what its documentation recommends: a pool of
// connections that stay open, named prepared statements, response schemas (so that JSON is written by generated code), logging off.
//
//   PORT=9001 USERS_URL=postgres://… SHOP_URL=postgres://… node server.js
//
// Searches are as the former system had them: ILIKE with a leading wildcard over the columns, newest first.
import Fastify from "fastify";
import pg from "pg";

const pool = (url) => new pg.Pool({ connectionString: url, max: 10, keepAlive: true });
const users = pool(process.env.USERS_URL);
const shop = pool(process.env.SHOP_URL);

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
const answers = (schema) => ({ schema: { response: { 200: schema } } });

const PRODUCT_COLUMNS =
  `id, seller_id, name, description, price_cents, currency, images, category, stock, is_public, is_active, rating_sum, rating_count,
  created_at, updated_at, version`;
const PERSON_COLUMNS = `id, username, first_name, last_name, bio, avatar, role, is_active, location, website, company, job_title,
  interests, social_links, created_at, updated_at, version`;
const PRODUCT_BY_ID = `SELECT ${PRODUCT_COLUMNS} FROM product WHERE id = $1 AND NOT deleted AND is_public AND is_active`;
const PERSON_BY_ID = `SELECT ${PERSON_COLUMNS}, coalesce((
    SELECT json_agg(json_build_object('id', s.id, 'name', s.name, 'level', s.level, 'endorsements', s.endorsements,
      'createdAt', to_char(s.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) ORDER BY s.created_at, s.id)
    FROM skill s WHERE s.person_id = p.id), '[]') AS skills
  FROM person p WHERE id = $1 AND is_active`;
const PRODUCTS_LIKE = `SELECT ${PRODUCT_COLUMNS} FROM product
  WHERE NOT deleted AND is_public AND is_active AND (name ILIKE $1 OR description ILIKE $1) ORDER BY created_at DESC LIMIT 20`;
const PEOPLE_LIKE = `SELECT ${PERSON_COLUMNS}, '[]'::json AS skills FROM person
  WHERE is_active AND (username ILIKE $1 OR first_name ILIKE $1 OR last_name ILIKE $1 OR bio ILIKE $1) ORDER BY created_at DESC LIMIT 20`;

const price = (cents) => `${cents.slice(0, -2) || "0"}.${cents.slice(-2).padStart(2, "0")}`;
const average = ({ rating_sum, rating_count }) => (rating_count === "0" ? null : Math.round((rating_sum / rating_count) * 100) / 100);
const product = (row) => ({
  id: row.id, sellerId: row.seller_id, name: row.name, description: row.description, price: price(row.price_cents), currency: row.currency,
  images: row.images, category: row.category, stock: Number(row.stock), isPublic: row.is_public, isActive: row.is_active, ratingAverage: average(row), ratingCount: Number(row.rating_count),
  createdAt: row.created_at.toISOString(), updatedAt: row.updated_at.toISOString(), version: Number(row.version),
});
const person = (row) => ({
  id: row.id, username: row.username, firstName: row.first_name, lastName: row.last_name, bio: row.bio, avatar: row.avatar, role: row.role,
  isActive: row.is_active,
  profile: {
    location: row.location, website: row.website, company: row.company, jobTitle: row.job_title, interests: row.interests,
    socialLinks: row.social_links,
  },
  skills: row.skills, createdAt: row.created_at.toISOString(), updatedAt: row.updated_at.toISOString(), version: Number(row.version),
});
const like = (words) => `%${words.replace(/[\\%_]/g, "\\$&")}%`;

const app = Fastify({ logger: false });
app.get("/health", async () => ({ status: "ok" }));
const one = (path, database, [name, sql], schema, render) =>
  app.get(path, answers(schema), async (request, reply) => {
    const { rows } = await database.query({ name, text: sql, values: [request.params.id] });
    if (rows.length === 0) return reply.code(404).send({ error: "not found" });
    reply.header("etag", `"${rows[0].version}"`).header("cache-control", "public, no-cache");
    return render(rows[0]);
  });
const search = (path, database, [name, sql], schema, render) =>
  app.get(path, answers(LIST(schema)), async (request) => {
    const { rows } = await database.query({ name, text: sql, values: [like(String(request.query.q ?? ""))] });
    return { items: rows.map(render) };
  });
one("/products/:id", shop, ["product", PRODUCT_BY_ID], PRODUCT, product);
one("/profile/:id", users, ["person", PERSON_BY_ID], PERSON, person);
search("/search/products", shop, ["products-like", PRODUCTS_LIKE], PRODUCT, product);
search("/search/people", users, ["people-like", PEOPLE_LIKE], PERSON, person);

await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT ?? 9001) });
