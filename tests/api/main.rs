//! The API over real sockets, in front of a real adsum whose service is the test's own.

mod access;
mod answers;
mod refusals;
mod schema;
mod server;
mod stream;
mod watches;
