//! The `dify-a2a` program.

fn main() {}
