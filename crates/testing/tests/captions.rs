//! Every long source file says in its first line what it holds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test of source text")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use syn::{AttrStyle, Attribute, Expr, ExprLit, Lit, Meta};

/// What a file of more lines holds does not show at a glance.
const MOST_LINES: usize = 60;

#[test]
fn long_files_have_a_caption() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut looked_at = 0;
    for folder in entries(crates) {
        let files = ["src", "tests", "benches", "examples"]
            .iter()
            .flat_map(|part| source_files(&folder.join(part)));
        let texts = files.map(|file| (fs::read_to_string(&file).unwrap(), file));
        let missing = texts
            .inspect(|_| looked_at += 1)
            .find(|(text, file)| text.lines().count() > MOST_LINES && !has_caption(text, file));
        if let Some((text, file)) = missing {
            panic!(
                "{} has {} lines and no caption: begin it with a line //! that says what it holds",
                file.display(),
                text.lines().count()
            );
        }
    }
    assert!(looked_at > 400, "{looked_at}");
}

/// Oracle: by hand. A caption is a comment on the file itself with words in it.
#[test]
fn a_caption_is_a_comment_on_the_file() {
    let path = Path::new("example.rs");
    for (text, has) in [
        ("//! What it holds.\nfn f() {}", true),
        ("#![allow(missing_docs)]\n//! What it holds.\n", true),
        ("//!\n//! What it holds, but not in its first line.", false),
        ("/// What f does.\nfn f() {}", false),
        ("// What it holds.\nfn f() {}", false),
        ("mod a { //! What a holds.\n}", false),
    ] {
        assert_eq!(has_caption(text, path), has, "{text}");
    }
}

fn has_caption(text: &str, path: &Path) -> bool {
    let source =
        syn::parse_file(text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let first_line = source.attrs.iter().find_map(comment);
    first_line.is_some_and(|line| !line.trim().is_empty())
}

/// The text of a `//!`.
fn comment(attribute: &Attribute) -> Option<String> {
    let is_inner = matches!(attribute.style, AttrStyle::Inner(_));
    match &attribute.meta {
        Meta::NameValue(pair) if is_inner && pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

/// All `.rs` files in a folder and in those inside of it; none if there is no such folder.
fn source_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in entries(folder) {
        if entry.is_dir() {
            files.extend(source_files(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
    files
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    entries
}
