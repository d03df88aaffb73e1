// What the Node.js peers ask PostgreSQL, and what they answer: the platform's tables, and its bodies byte for byte.

const PRODUCT_COLUMNS =
  `id, seller_id, name, description, price_cents, currency, images, category, stock, is_public, is_active, rating_sum, rating_count,
  created_at, updated_at, version`;
const PERSON_COLUMNS = `id, username, first_name, last_name, bio, avatar, role, is_active, location, website, company, job_title,
  interests, social_links, created_at, updated_at, version`;
const SKILLS = `coalesce((
    SELECT json_agg(json_build_object('id', s.id, 'name', s.name, 'level', s.level, 'endorsements', s.endorsements,
      'createdAt', to_char(s.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) ORDER BY s.created_at, s.id)
    FROM skill s WHERE s.person_id = p.id), '[]') AS skills`;
const LISTED = "NOT deleted AND is_public AND is_active";

// Named, so that the server prepares each once on a connection.
const named = (name, text) => (...values) => ({ name, text, values });
export const productById = named("product", `SELECT ${PRODUCT_COLUMNS} FROM product WHERE id = $1 AND ${LISTED}`);
export const personById = named("person", `SELECT ${PERSON_COLUMNS}, ${SKILLS} FROM person p WHERE id = $1 AND is_active`);
export const productsNewest = named("products", `SELECT ${PRODUCT_COLUMNS} FROM product WHERE ${LISTED} AND id < $1 ORDER BY id DESC LIMIT $2`);
export const productUpdate = named("product-update",
  `UPDATE product SET price_cents = coalesce($2, price_cents), stock = coalesce($3, stock), updated_at = now(), version = version + 1
  WHERE id = $1 AND ${LISTED} RETURNING ${PRODUCT_COLUMNS}`);
export const personUpdate = named("person-update",
  `UPDATE person p SET bio = $2, updated_at = now(), version = version + 1 WHERE id = $1 AND is_active RETURNING ${PERSON_COLUMNS}, ${SKILLS}`);
// Searches are as the former system had them: ILIKE with a leading wildcard over the columns, newest first.
export const productsLike = named("products-like", `SELECT ${PRODUCT_COLUMNS} FROM product
  WHERE ${LISTED} AND (name ILIKE $1 OR description ILIKE $1) ORDER BY created_at DESC LIMIT 20`);
export const peopleLike = named("people-like", `SELECT ${PERSON_COLUMNS}, '[]'::json AS skills FROM person
  WHERE is_active AND (username ILIKE $1 OR first_name ILIKE $1 OR last_name ILIKE $1 OR bio ILIKE $1) ORDER BY created_at DESC LIMIT 20`);
export const like = (words) => `%${words.replace(/[\\%_]/g, "\\$&")}%`;

const price = (cents) => `${cents.slice(0, -2) || "0"}.${cents.slice(-2).padStart(2, "0")}`;
const average = ({ rating_sum, rating_count }) => (rating_count === "0" ? null : Math.round((rating_sum / rating_count) * 100) / 100);
const sorted = (object) => Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));

export const product = (row) => ({
  id: row.id, sellerId: row.seller_id, name: row.name, description: row.description, price: price(row.price_cents), currency: row.currency,
  images: row.images, category: row.category, stock: Number(row.stock), isPublic: row.is_public, isActive: row.is_active,
  ratingAverage: average(row), ratingCount: Number(row.rating_count),
  createdAt: row.created_at.toISOString(), updatedAt: row.updated_at.toISOString(), version: Number(row.version),
});
export const person = (row) => ({
  id: row.id, username: row.username, firstName: row.first_name, lastName: row.last_name, bio: row.bio, avatar: row.avatar, role: row.role,
  isActive: row.is_active,
  profile: {
    location: row.location, website: row.website, company: row.company, jobTitle: row.job_title, interests: row.interests,
    socialLinks: sorted(row.social_links),
  },
  skills: row.skills, createdAt: row.created_at.toISOString(), updatedAt: row.updated_at.toISOString(), version: Number(row.version),
});

// The platform's cursors of this list: its number, and the id of the page's last row.
const LIST = 5;
const FIRST = "ffffffff-ffff-ffff-ffff-ffffffffffff";
const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;

/** Which page a query string asks for: behind which id, and how many rows. */
export const pageOf = ({ limit, cursor }) => ({
  after: cursor === undefined ? FIRST : Buffer.from(cursor, "base64url").toString("hex", 1).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"),
  limit: Math.min(Math.max(Number.parseInt(limit, 10) || LIMIT_DEFAULT, 1), LIMIT_MAX),
});

/** The answer of a page, of which one row more than its limit was asked for. */
export const productPage = (rows, limit) => {
  const items = rows.slice(0, limit).map(product);
  const next = () => Buffer.concat([Buffer.of(LIST), Buffer.from(items.at(-1).id.replaceAll("-", ""), "hex")]).toString("base64url");
  return { items, nextCursor: rows.length > limit ? next() : null };
};

const PRICE = /^\d{1,8}(\.\d{1,2})?$/;

/** What a body changes of a product, as values of `productUpdate`; null if it is not one. */
export const changeOfProduct = ({ price: wanted = null, stock = null } = {}) => {
  const sound = (wanted === null || (typeof wanted === "string" && PRICE.test(wanted))) && (stock === null || (Number.isSafeInteger(stock) && stock >= 0));
  return sound ? [wanted === null ? null : Math.round(Number(wanted) * 100), stock] : null;
};

/** What a body changes of a person, as values of `personUpdate`; null if it is not one. */
export const changeOfPerson = ({ bio } = {}) => (bio === null || typeof bio === "string" ? [bio] : null);
