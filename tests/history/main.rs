//! What every history must do, whichever adapter keeps it; and what is special about the `SQLite` one.

mod conformance;
mod sqlite;
mod world;
