//! No files of a crate import each other in a loop, re-exports resolved.
//!
//! A file imports another if it names something that the other defines: by `use`, or by a path in
//! its code. A name that a facade only hands on (`pub use`) belongs to the file that defines it, so
//! that `crate::Structure` is an arrow to `structure.rs` and none to `lib.rs`. Methods are not
//! followed, nor is code for tests, which may look anywhere.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test of source text"
)]

mod arrows;
mod loops;
mod module_tree;

use std::{fs, path::Path};

use arrows::arrows_of;
use loops::first_loop;
use module_tree::ModuleTree;

#[test]
fn no_files_of_a_crate_import_each_other_in_a_loop() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut folders: Vec<_> = fs::read_dir(crates)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|folder| folder.join("src/lib.rs").exists())
        .collect();
    folders.sort();
    assert!(folders.len() > 10, "{folders:?}");
    for folder in folders {
        let tree = ModuleTree::read(&folder.join("src/lib.rs"));
        if let Some(text) = first_loop(&arrows_of(&tree), &tree) {
            panic!("{text}");
        }
    }
}

/// A small crate whose arrows are known by hand: `lib.rs` hands on what `a.rs` and `b.rs` define,
/// `a` uses `b` through the facade, `b` uses nothing.
#[test]
fn a_name_handed_on_belongs_to_the_file_that_defines_it() {
    let arrows = arrows_of_sources(&[
        ("lib.rs", "mod a; mod b; pub use a::First; pub use b::*;"),
        ("a.rs", "use crate::Second; pub struct First(Second);"),
        ("b.rs", "pub struct Second;"),
    ]);
    assert_eq!(arrows, ["a.rs -> b.rs: Second"]);
}

/// Every way of naming something: a path in code, a renamed import, a module's name, a macro's
/// words, a private import in the facade; and what does not count: tests and other crates.
#[test]
fn all_ways_of_naming_are_arrows() {
    let arrows = arrows_of_sources(&[
        (
            "lib.rs",
            "mod a; mod b; mod c; use c::helper; pub fn run() { helper() }",
        ),
        (
            "a.rs",
            "use super::b as other; fn f() -> other::Thing { assert!(crate::c::flag()); } \
             #[cfg(test)] mod tests { use crate::run; }",
        ),
        (
            "b.rs",
            "use std::fmt::Debug as D; pub struct Thing; pub struct Helper;",
        ),
        (
            "c.rs",
            "use crate::b::{Thing as T, self}; pub fn helper(x: b::Helper) {} pub fn flag() -> bool { true }",
        ),
    ]);
    assert_eq!(
        arrows,
        [
            "a.rs -> b.rs: Thing",
            "a.rs -> c.rs: flag",
            "c.rs -> b.rs: Helper, Thing",
            "lib.rs -> c.rs: helper",
        ]
    );
}

#[test]
fn a_loop_is_found_and_named() {
    let folder = written(&[
        ("lib.rs", "mod a; mod b; mod c; pub use c::C;"),
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        ("b.rs", "use crate::C; pub struct B(C);"),
        ("c.rs", "pub struct C(crate::a::A);"),
    ]);
    let tree = ModuleTree::read(&folder.path().join("lib.rs"));
    let text = first_loop(&arrows_of(&tree), &tree).unwrap();
    for (from, to) in [
        ("a.rs", "b.rs: B"),
        ("b.rs", "c.rs: C"),
        ("c.rs", "a.rs: A"),
    ] {
        let mut lines = text.lines();
        assert!(
            lines.any(|line| line.contains(&format!("{from} -> ")) && line.ends_with(to)),
            "{text}"
        );
    }
}

fn arrows_of_sources(files: &[(&str, &str)]) -> Vec<String> {
    let folder = written(files);
    let tree = ModuleTree::read(&folder.path().join("lib.rs"));
    let mut lines: Vec<String> = arrows_of(&tree)
        .iter()
        .map(|(&(from, to), names)| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let name = |file: usize| tree.files[file].file_name().unwrap().to_str().unwrap();
            format!("{} -> {}: {}", name(from), name(to), names.join(", "))
        })
        .collect();
    lines.sort();
    lines
}

fn written(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}
