//! Links between real processes over real sockets. ractor's registries are a process's own, so every node is a process: this binary, started again
//! (`node.rs`); the tests talk to it by lines (`process.rs`).

mod authority;
mod call;
mod hostile;
mod life;
mod node;
mod process;
mod relay;
mod rotation;
mod stopped;
mod stranger;
