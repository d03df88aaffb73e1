// Cache-aside over ioredis, in its customary form: look, load what is missing, store it with a time to live; after a write, delete. Values are JSON
// that is sent as it is. Nothing stands between readers that miss at the same time, and nothing keeps a slow load from storing what a write has
// just made old: that is the form. An error of Redis is a miss.

/** The strategies by namespace: seconds to live (the platform's table). */
const SECONDS = { "user:profile": 600, "shop:product": 900, "shop:products": 600 };
const keyOf = (namespace, id) => `cache:${namespace}:${id}`;

export const cacheAside = (redis) => ({
  /** The cached JSON, or what `load` gives; null, which is not cached, is for what does not exist. */
  async one(namespace, id, load) {
    const key = keyOf(namespace, id);
    const cached = await redis.get(key).catch(() => null);
    if (cached !== null) return cached;
    const json = await load();
    if (json !== null) await redis.set(key, json, "EX", SECONDS[namespace]).catch(() => null);
    return json;
  },

  /** The same for a page of a list. All pages of a list are fields of one key, so that one DEL forgets them. */
  async page(namespace, id, page, load) {
    const key = keyOf(namespace, id);
    const cached = await redis.hget(key, page).catch(() => null);
    if (cached !== null) return cached;
    const json = await load();
    await redis.multi().hset(key, page, json).expire(key, SECONDS[namespace]).exec().catch(() => null);
    return json;
  },

  /** Forgets what a write changed: pairs of namespace and id. */
  forget: (...changed) => redis.del(changed.map(([namespace, id]) => keyOf(namespace, id))).catch(() => null),
});
