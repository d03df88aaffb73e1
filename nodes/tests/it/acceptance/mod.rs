//! The defects of the former system, by number: what each of them was must not be possible here.

mod content;
mod people;
mod shop;
