//! The modules of the crate: what each declares, re-exports and refers to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Item, UseTree, Visibility};

use crate::structure::{read, rust_files};

/// A path of names: `["transport", "csrf"]` from the root of the crate, or as it is written.
pub(crate) type Names = Vec<String>;

/// One module.
#[derive(Default)]
pub(crate) struct Module {
    /// The names that it re-exports, and the paths that they stand for.
    pub(crate) reexports: BTreeMap<String, Names>,
    /// The paths that its `use` items and its code write, beginning with `crate`, `super`, `self` or a name.
    pub(crate) paths: Vec<Names>,
    /// Public names at its top, modules excepted.
    names: usize,
}

/// All modules, by their paths.
pub(crate) struct Modules(BTreeMap<Names, Module>);

impl Modules {
    /// Reads the files below `src`. Modules for tests are left out.
    pub(crate) fn read(src: &Path) -> Result<Self, String> {
        let mut modules = Self(BTreeMap::new());
        for file in rust_files(src)? {
            let parsed = syn::parse_file(&read(&file)?)
                .map_err(|error| format!("{}: {error}", file.display()))?;
            let relative = file.strip_prefix(src).unwrap_or(&file).with_extension("");
            let parts = relative.iter().map(|part| part.to_string_lossy());
            let mut path: Names = parts.map(|part| part.into_owned()).collect();
            if matches!(path.last().map(String::as_str), Some("mod" | "lib")) {
                path.pop();
            }
            modules.add(path, &parsed.items);
        }
        Ok(modules)
    }

    fn add(&mut self, path: Names, items: &[Item]) {
        let mut module = Module::default();
        for item in items {
            match item {
                Item::Mod(inner) => {
                    if let (Some((_, items)), false) = (&inner.content, is_test(&inner.attrs)) {
                        let name = inner.ident.to_string();
                        self.add([path.clone(), vec![name]].concat(), items);
                    }
                }
                // Its own module is what the generated part of a resource is.
                Item::Macro(call) if call.mac.path.is_ident("generated") => {
                    let generated = Module {
                        paths: vec![names(["crate", "resources", "names"])],
                        ..Module::default()
                    };
                    let path = [path.clone(), names(["generated"])].concat();
                    self.0.insert(path, generated);
                }
                Item::Use(item) => {
                    let is_exported = !matches!(item.vis, Visibility::Inherited);
                    let is_public = matches!(item.vis, Visibility::Public(_));
                    flatten(&item.tree, Vec::new(), &mut |name, path| {
                        if is_exported {
                            module.reexports.insert(name, path.clone());
                        }
                        // A module among them begins with a small letter.
                        let last = path.last().map_or("", String::as_str);
                        let is_module =
                            path[0] == "resources" && last.starts_with(char::is_lowercase);
                        module.names += usize::from(is_public && !is_module);
                        module.paths.push(path);
                    });
                }
                item => Paths(&mut module.paths).visit_item(item),
            }
        }
        self.0.insert(path, module);
    }

    /// How many names the root exports, modules excepted.
    pub(crate) fn root_names(&self) -> usize {
        self.0.get(&Names::new()).map_or(0, |root| root.names)
    }

    /// How many modules there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The modules with their paths.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Names, &Module)> {
        self.0.iter()
    }

    /// The module in which the definition is to which a path of this module leads; `None` for a path to
    /// another crate, and for one within the module.
    pub(crate) fn resolve(&self, from: &[String], path: &[String]) -> Option<Names> {
        let (mut at, mut rest) = (from.to_vec(), path);
        let mut is_relative = false;
        match rest.first()?.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => {
                at.pop();
            }
            _ => is_relative = true,
        }
        if !is_relative {
            rest = &rest[1..];
        }
        while rest.first().is_some_and(|name| name == "super") {
            at.pop();
            rest = &rest[1..];
        }
        let mut moved = !is_relative;
        let mut followed = BTreeSet::new();
        let mut rest = rest.to_vec();
        while let Some(name) = rest.first().cloned() {
            let child = [at.clone(), vec![name.clone()]].concat();
            if self.0.contains_key(&child) {
                at = child;
                rest.remove(0);
                moved = true;
                continue;
            }
            let reexport = self
                .0
                .get(&at)
                .and_then(|module| module.reexports.get(&name));
            match reexport {
                Some(target) if moved && followed.insert((at.clone(), name)) => {
                    rest = [target.clone(), rest[1..].to_vec()].concat();
                    match rest[0].as_str() {
                        "crate" => {
                            at.clear();
                            rest.remove(0);
                        }
                        "super" => {
                            at.pop();
                            rest.remove(0);
                        }
                        "self" => drop(rest.remove(0)),
                        // Another crate's, if it is no child.
                        _ => {}
                    }
                }
                _ => break,
            }
        }
        (moved && at != from && self.0.contains_key(&at)).then_some(at)
    }
}

fn names<const N: usize>(names: [&str; N]) -> Names {
    names.map(str::to_owned).to_vec()
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let list = attribute.meta.require_list();
        list.is_ok_and(|list| list.path.is_ident("cfg") && list.tokens.to_string() == "test")
    })
}

/// The names that a `use` binds, and their paths.
fn flatten(tree: &UseTree, path: Names, found: &mut impl FnMut(String, Names)) {
    let with = |name: &syn::Ident| [path.clone(), vec![name.to_string()]].concat();
    match tree {
        UseTree::Path(inner) => flatten(&inner.tree, with(&inner.ident), found),
        UseTree::Name(name) if name.ident == "self" => {
            found(path.last().cloned().unwrap_or_default(), path);
        }
        UseTree::Name(name) => found(name.ident.to_string(), with(&name.ident)),
        UseTree::Rename(name) => found(name.rename.to_string(), with(&name.ident)),
        UseTree::Glob(_) => found("*".to_owned(), path),
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, path.clone(), found);
            }
        }
    }
}

/// Collects the paths in code that begin with `crate`, `super` or `self`.
struct Paths<'a>(&'a mut Vec<Names>);

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Names = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        if names.len() > 1 && matches!(names[0].as_str(), "crate" | "super" | "self") {
            self.0.push(names);
        }
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        flatten(&item.tree, Vec::new(), &mut |_, path| self.0.push(path));
    }
}
