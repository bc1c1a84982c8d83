//! The adsum command.

fn main() {}
