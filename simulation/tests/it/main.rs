//! What must hold in every simulated cluster, and that it is found when it does not.

mod named;
mod sabotage;
mod seeds;
mod size;
