//! What one node does, seen from outside: each test plays the store and the links. Whole clusters are the business of the crate `simulation`.

mod member;
mod node;
mod owner;
