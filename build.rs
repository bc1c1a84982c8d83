//! The migrations are embedded when the crate is compiled; cargo does not notice a new one by itself.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
