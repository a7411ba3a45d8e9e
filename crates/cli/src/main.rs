//! The `crystalgym` command.

fn main() {}
