//! A hostile or broken origin against the real daemon: it never crashes, blocks or fills memory, nothing false is recorded,
//! a good channel goes on being observed, and of a bad one it says what was wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod answers;
mod channels;
mod daemon;
mod discoveries;
mod groups;
mod origin;
mod pages;
mod size;
