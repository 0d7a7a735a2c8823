//! hftune
fn main() {}
