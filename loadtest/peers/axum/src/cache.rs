//! Cache-aside over bb8-redis, in its customary form: look, load what is missing, store it with a time to live; after a write, delete. Values are JSON
//! that is sent as it is. Nothing stands between readers that miss at the same time, and nothing keeps a slow load from storing what a write has just
//! made old: that is the form. An error of Redis is a miss.

use bb8_redis::RedisConnectionManager;
use bb8_redis::redis::{AsyncCommands, RedisError, pipe};
use std::fmt::Display;

/// Connections to Redis. One command is under way on each, so fewer than there are requests at a time make some of them wait.
const CONNECTIONS_MAX: u32 = 32;

/// A kind of cached value.
pub struct Strategy {
    namespace: &'static str,
    /// Seconds to live (the platform's table).
    seconds: u32,
}

pub const PROFILE: Strategy = Strategy { namespace: "user:profile", seconds: 600 };
pub const PRODUCT: Strategy = Strategy { namespace: "shop:product", seconds: 900 };
pub const PRODUCTS: Strategy = Strategy { namespace: "shop:products", seconds: 600 };

impl Strategy {
    pub fn key(&self, id: impl Display) -> String {
        format!("cache:{}:{id}", self.namespace)
    }
}

#[derive(Clone)]
pub struct Cache {
    pool: bb8::Pool<RedisConnectionManager>,
}

impl Cache {
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        let pool = bb8::Pool::builder().max_size(CONNECTIONS_MAX).min_idle(CONNECTIONS_MAX).test_on_check_out(false);
        Ok(Self { pool: pool.build(RedisConnectionManager::new(url)?).await? })
    }

    /// The cached JSON, or what `load` gives; `None`, which is not cached, is for what does not exist.
    pub async fn one(
        &self,
        strategy: &Strategy,
        id: impl Display,
        load: impl AsyncFnOnce() -> anyhow::Result<Option<String>>,
    ) -> anyhow::Result<Option<String>> {
        let key = strategy.key(id);
        if let Some(cached) = self.look_up(async |redis| redis.get(&key).await).await {
            return Ok(Some(cached));
        }
        let json = load().await?;
        if let Some(json) = &json {
            self.tell(async |redis| redis.set_ex(&key, json, strategy.seconds.into()).await).await;
        }
        Ok(json)
    }

    /// The same for a page of a list. All pages of a list are fields of one key, so that one DEL forgets them.
    pub async fn page(
        &self,
        strategy: &Strategy,
        id: impl Display,
        page: &str,
        load: impl AsyncFnOnce() -> anyhow::Result<String>,
    ) -> anyhow::Result<String> {
        let key = strategy.key(id);
        if let Some(cached) = self.look_up(async |redis| redis.hget(&key, page).await).await {
            return Ok(cached);
        }
        let json = load().await?;
        let mut store = pipe();
        store.atomic().hset(&key, page, &json).ignore().expire(&key, strategy.seconds.into()).ignore();
        self.tell(async |redis| store.query_async(redis).await).await;
        Ok(json)
    }

    /// Forgets what a write changed.
    pub async fn forget(&self, keys: &[String]) {
        self.tell(async |redis| redis.del(keys).await).await;
    }

    async fn look_up(&self, command: impl AsyncFnOnce(&mut Connection) -> Result<Option<String>, RedisError>) -> Option<String> {
        command(&mut *self.pool.get().await.ok()?).await.ok()?
    }

    async fn tell(&self, command: impl AsyncFnOnce(&mut Connection) -> Result<(), RedisError>) {
        if let Ok(mut redis) = self.pool.get().await {
            // What Redis does not take is loaded again.
            let _ = command(&mut redis).await;
        }
    }
}

type Connection = <RedisConnectionManager as bb8::ManageConnection>::Connection;
