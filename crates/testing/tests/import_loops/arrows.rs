//! Which file names what of which other file.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Macro, MetaList, Path,
    visit::{self, Visit},
};

use crate::module_tree::{ModulePath, ModuleTree};

/// From a file to another: the names that the first takes from the second.
pub(crate) type Arrows = BTreeMap<(usize, usize), BTreeSet<String>>;

pub(crate) fn arrows_of(tree: &ModuleTree) -> Arrows {
    let mut arrows = Arrows::new();
    for (path, module) in &tree.modules {
        let mut names = Names::default();
        for import in module
            .imports
            .values()
            .filter(|import| !import.is_re_export)
        {
            names.found.push(import.path.clone());
        }
        for item in &module.items {
            names.visit_item(item);
        }
        for name in names.found {
            add(&mut arrows, tree, path, module.file, &name);
        }
    }
    arrows
}

fn add(arrows: &mut Arrows, tree: &ModuleTree, path: &ModulePath, file: usize, name: &[String]) {
    if let Some((to, name)) = tree.resolve(path, name)
        && to != file
    {
        arrows.entry((file, to)).or_default().insert(name);
    }
}

/// All paths of the code, those among a macro's words included.
#[derive(Default)]
struct Names {
    found: Vec<Vec<String>>,
}

impl<'ast> Visit<'ast> for Names {
    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() {
            let names = path.segments.iter().map(|part| part.ident.to_string());
            self.found.push(names.collect());
        }
        visit::visit_path(self, path);
    }

    /// Such as `#[error("… {}", known_names())]`.
    fn visit_meta_list(&mut self, list: &'ast MetaList) {
        self.add_words(list.tokens.clone());
        visit::visit_meta_list(self, list);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.add_words(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}

impl Names {
    /// Runs of `name::name` among a macro's words.
    fn add_words(&mut self, words: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for word in words {
            match word {
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.found.push(std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Group(group) => {
                    self.found.push(std::mem::take(&mut path));
                    self.add_words(group.stream());
                    colons = 0;
                }
                _ => {
                    self.found.push(std::mem::take(&mut path));
                    colons = 0;
                }
            }
        }
        self.found.push(path);
    }
}
