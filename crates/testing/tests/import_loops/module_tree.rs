//! The modules of a crate, what each defines and what it hands on.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use syn::{Attribute, Item, UseTree, Visibility};

/// A path of names from the crate's root, which is the empty one.
pub(crate) type ModulePath = Vec<String>;

/// An import: the name it gives, where that leads, and whether the module hands it on.
#[derive(Debug, Clone)]
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    pub(crate) is_re_export: bool,
}

/// One module.
#[derive(Default)]
pub(crate) struct Module {
    pub(crate) file: usize,
    pub(crate) defined: Vec<String>,
    pub(crate) imports: HashMap<String, Import>,
    pub(crate) globs: Vec<Import>,
    pub(crate) items: Vec<Item>,
}

/// All modules of a crate but those for tests.
#[derive(Default)]
pub(crate) struct ModuleTree {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) modules: HashMap<ModulePath, Module>,
}

impl ModuleTree {
    pub(crate) fn read(root: &Path) -> Self {
        let mut tree = Self::default();
        tree.read_file(root, Vec::new(), root.parent().unwrap());
        tree
    }

    /// `folder` is where the files of child modules lie.
    fn read_file(&mut self, path: &Path, module: ModulePath, folder: &Path) {
        let text = fs::read_to_string(path).unwrap();
        let source =
            syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if source.attrs.iter().any(is_for_tests) {
            return;
        }
        self.files.push(path.to_owned());
        let file = self.files.len() - 1;
        self.add(module, source.items, file, folder);
    }

    fn add(&mut self, path: ModulePath, items: Vec<Item>, file: usize, folder: &Path) {
        let mut module = Module {
            file,
            ..Module::default()
        };
        for item in items {
            if attributes(&item).iter().any(is_for_tests) {
                continue;
            }
            match item {
                Item::Mod(child) => {
                    let name = child.ident.to_string();
                    let mut child_path = path.clone();
                    child_path.push(name.clone());
                    let child_folder = folder.join(&name);
                    match child.content {
                        Some((_, items)) => self.add(child_path, items, file, &child_folder),
                        None => {
                            let beside = folder.join(format!("{name}.rs"));
                            let inside = child_folder.join("mod.rs");
                            let source = match path_attribute(&child.attrs) {
                                // Beside the file that declares it.
                                Some(name) => self.files[file].with_file_name(name),
                                None if beside.exists() => beside,
                                None => inside,
                            };
                            self.read_file(&source, child_path, &child_folder);
                        }
                    }
                }
                Item::Use(item) => {
                    let is_re_export = !matches!(item.vis, Visibility::Inherited);
                    module.import(&item.tree, &mut Vec::new(), is_re_export);
                }
                item => {
                    module.defined.extend(name_of(&item));
                    module.items.push(item);
                }
            }
        }
        self.modules.insert(path, module);
    }

    /// The file that defines what `path` names, seen from `module`, and the last name on the way:
    /// `None` for another crate, and for a module as such.
    pub(crate) fn resolve(&self, module: &ModulePath, path: &[String]) -> Option<(usize, String)> {
        self.resolve_within(module, path, 0)
    }

    fn resolve_within(
        &self,
        module: &ModulePath,
        path: &[String],
        depth: usize,
    ) -> Option<(usize, String)> {
        // Globs of modules that hand on each other would never end.
        if depth > 16 {
            return None;
        }
        let mut here = module.clone();
        let mut rest = path;
        loop {
            let (name, after) = rest.split_first()?;
            rest = after;
            match name.as_str() {
                "crate" => here.clear(),
                "self" => {}
                "super" => {
                    here.pop()?;
                }
                name => {
                    let mut child = here.clone();
                    child.push(name.to_owned());
                    if self.modules.contains_key(&child) {
                        here = child;
                        continue;
                    }
                    let found = &self.modules[&here];
                    if found.defined.iter().any(|defined| defined == name) {
                        return Some((found.file, name.to_owned()));
                    }
                    if let Some(import) = found.imports.get(name) {
                        // `use matrix;` names the module, not itself again.
                        if import.path == [name.to_owned()] {
                            return None;
                        }
                        let whole = [import.path.as_slice(), rest].concat();
                        return self.resolve_within(&here, &whole, depth + 1);
                    }
                    return found.globs.iter().find_map(|glob| {
                        let whole = [glob.path.as_slice(), &[name.to_owned()], rest].concat();
                        self.resolve_within(&here, &whole, depth + 1)
                    });
                }
            }
        }
    }
}

impl Module {
    fn import(&mut self, tree: &UseTree, prefix: &mut Vec<String>, is_re_export: bool) {
        let full = |prefix: &[String], name: &str| {
            let mut path = prefix.to_vec();
            if name != "self" {
                path.push(name.to_owned());
            }
            Import { path, is_re_export }
        };
        match tree {
            UseTree::Path(part) => {
                prefix.push(part.ident.to_string());
                self.import(&part.tree, prefix, is_re_export);
                prefix.pop();
            }
            UseTree::Name(part) => {
                let import = full(prefix, &part.ident.to_string());
                let name = import.path.last().cloned().unwrap_or_default();
                self.imports.insert(name, import);
            }
            UseTree::Rename(part) => {
                let import = full(prefix, &part.ident.to_string());
                // `as _` gives no name, but it is an import.
                let name = match part.rename.to_string() {
                    name if name == "_" => format!("_{}", import.path.join("::")),
                    name => name,
                };
                self.imports.insert(name, import);
            }
            UseTree::Glob(_) => self.globs.push(full(prefix, "self")),
            UseTree::Group(group) => {
                for part in &group.items {
                    self.import(part, prefix, is_re_export);
                }
            }
        }
    }
}

fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("test")
        || (attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Meta>()
                .is_ok_and(|meta| meta.path().is_ident("test")))
}

/// `#[path = "…"]`.
fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes
        .iter()
        .find_map(|attribute| match &attribute.meta {
            syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
                syn::Expr::Lit(syn::ExprLit {
                    lit: syn::Lit::Str(text),
                    ..
                }) => Some(text.value()),
                _ => None,
            },
            _ => None,
        })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name_of(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}
