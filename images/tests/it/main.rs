//! The pipeline on real files (`tests/corpus`, whose `LICENSES.txt` says what each is and how it was made), and on files that mean harm.

mod corpus;
mod faithful;
mod hostile;
mod stages;
mod stripped;
