//! Which requests a run draws from, all encoded before it begins.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::bail;
use bytes::Bytes;
use rand::{Rng, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Zipf};

use super::fresh::Fresh;
use super::request::requests;
use super::{Operation, Options, Population};
use crate::http::{Edge, Request};

/// One request of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    part: u32,
    request: u32,
    /// No other draw of this run has it, nor of most others.
    number: u64,
}

/// The requests of a run and how often each is drawn.
#[derive(Debug)]
pub struct Plan {
    edges: Vec<Edge>,
    parts: Vec<Part>,
    weight_total: u32,
    next_number: AtomicU64,
}

#[derive(Debug)]
struct Part {
    operation: Operation,
    weight: u32,
    /// The most popular first.
    popularity: Zipf<f64>,
    /// For each edge the same requests.
    encoded: Vec<Vec<Prepared>>,
}

#[derive(Debug)]
struct Prepared {
    bytes: Bytes,
    fresh: Option<Fresh>,
}

impl Prepared {
    fn new(bytes: Bytes) -> Self {
        Self { fresh: Fresh::find(&bytes), bytes }
    }
}

impl Plan {
    /// Encodes the requests of a mix over a population.
    ///
    /// # Errors
    /// If the population has nothing for a part of the mix, or the Zipf exponent is negative.
    pub fn new(mix: &[(Operation, u32)], population: &Population, options: &Options) -> anyhow::Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        let mut plan = Self::empty(&options.bases);
        for &(operation, weight) in mix {
            let requests = requests(operation, population, &mut rng);
            plan.add(operation, weight, &requests, options.zipf)?;
        }
        Ok(plan)
    }

    /// A plan of one operation on given requests, all equally likely.
    ///
    /// # Errors
    /// If there are no requests or no edges.
    pub fn uniform(operation: Operation, requests: &[Request], edges: &[Edge]) -> anyhow::Result<Self> {
        let mut plan = Self::empty(edges);
        plan.add(operation, 1, requests, 0.0)?;
        Ok(plan)
    }

    fn empty(edges: &[Edge]) -> Self {
        // What was sent in another run is not sent again.
        let next_number = AtomicU64::new(u64::from(rand::random::<u32>()) << 32);
        Self { edges: edges.to_vec(), parts: Vec::new(), weight_total: 0, next_number }
    }

    fn add(&mut self, operation: Operation, weight: u32, requests: &[Request], zipf: f64) -> anyhow::Result<()> {
        if requests.is_empty() || self.edges.is_empty() {
            bail!("there is nothing to send for {operation}");
        }
        let popularity = Zipf::new(requests.len() as f64, zipf)?;
        let encode = |edge| requests.iter().map(|request| Prepared::new(request.encode(edge))).collect();
        let encoded = self.edges.iter().map(encode).collect();
        self.weight_total += weight;
        self.parts.push(Part { operation, weight, popularity, encoded });
        Ok(())
    }

    /// The edges that requests are encoded for.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// Draws the next request.
    pub fn draw(&self, rng: &mut impl Rng) -> Draw {
        let mut left = rng.random_range(0..self.weight_total);
        for (part, Part { weight, popularity, encoded, .. }) in (0..).zip(&self.parts) {
            if left < *weight {
                let rank = popularity.sample(rng) as usize;
                let request = rank.clamp(1, encoded[0].len()) - 1;
                let request = u32::try_from(request).expect("plans have fewer than 2^32 requests");
                return Draw { part, request, number: self.next_number.fetch_add(1, Ordering::Relaxed) };
            }
            left -= weight;
        }
        unreachable!("a draw below the total falls into a part")
    }

    /// What kind of request was drawn.
    pub fn operation(&self, draw: Draw) -> Operation {
        self.parts[draw.part as usize].operation
    }

    /// The bytes of a drawn request, for an edge by its number.
    pub fn encoded(&self, draw: Draw, edge: usize) -> Bytes {
        let Prepared { bytes, fresh } = &self.parts[draw.part as usize].encoded[edge][draw.request as usize];
        fresh.map_or_else(|| bytes.clone(), |fresh| fresh.fill(bytes, draw.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(zipf: f64) -> Plan {
        let edges = [Edge::from(std::net::SocketAddr::from(([127, 0, 0, 1], 80)))];
        let requests: Vec<Request> = (0..10).map(|number| Request::get(format!("/{number}"))).collect();
        let mut plan = Plan::empty(&edges);
        plan.add(Operation::Profile, 30, &requests, zipf).unwrap();
        plan.add(Operation::Feed, 70, &requests[..1], zipf).unwrap();
        plan
    }

    fn shares(plan: &Plan) -> (f64, f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let draws: Vec<Draw> = (0..20_000).map(|_| plan.draw(&mut rng)).collect();
        let profiles: Vec<&Draw> = draws.iter().filter(|draw| plan.operation(**draw) == Operation::Profile).collect();
        let first = profiles.iter().filter(|draw| draw.request == 0).count();
        (profiles.len() as f64 / draws.len() as f64, first as f64 / profiles.len() as f64)
    }

    #[test]
    fn draws_by_weight_and_popularity() {
        let (profiles, first) = shares(&plan(1.0));
        assert!((0.28..0.32).contains(&profiles), "{profiles}");
        // Zipf with exponent 1 over ten keys gives the first 1 / H(10) = 34 %.
        assert!((0.30..0.38).contains(&first), "{first}");
        let (_, first) = shares(&plan(0.0));
        assert!((0.08..0.12).contains(&first), "{first}");
    }

    #[test]
    fn refuses_an_empty_part() {
        let edges = [Edge::from(std::net::SocketAddr::from(([127, 0, 0, 1], 80)))];
        assert!(Plan::uniform(Operation::Feed, &[], &edges).is_err());
    }
}
