//! Circles of imports: modules that import each other, directly or by way of others.

use std::collections::{BTreeMap, BTreeSet};

use crate::modules::{Modules, Names};

/// Each circle, as the paths of its modules.
///
/// An import is a path in a `use`, or one in code that begins with `crate`, `super` or `self`; it counts for the
/// module that holds the definition, not for one that re-exports it. What macros write is not seen.
pub(crate) fn circles(modules: &Modules) -> Vec<Vec<String>> {
    let imports: BTreeMap<&Names, BTreeSet<Names>> = modules
        .iter()
        .map(|(path, module)| {
            let paths = module.paths.iter();
            let found = paths.filter_map(|import| modules.resolve(path, import));
            (path, found.collect())
        })
        .collect();
    let reachable: BTreeMap<&Names, BTreeSet<&Names>> = imports
        .keys()
        .map(|path| (*path, reachable(path, &imports)))
        .collect();
    let mut circles = BTreeSet::new();
    for (path, reached) in &reachable {
        let circle = reached.iter().filter(|other| {
            reachable
                .get(*other)
                .is_some_and(|back| back.contains(path))
        });
        let circle: Vec<String> = circle
            .map(|path| format!("src/{}", path.join("/")))
            .collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

/// The modules that a module imports, directly or by way of others.
fn reachable<'a>(
    from: &Names,
    imports: &'a BTreeMap<&Names, BTreeSet<Names>>,
) -> BTreeSet<&'a Names> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&Names> = imports[from].iter().collect();
    while let Some(path) = open.pop() {
        if found.insert(path) {
            open.extend(imports.get(path).into_iter().flatten());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The circles of a crate with these files.
    fn circles_of<const N: usize>(files: [(&str, &str); N]) -> Vec<Vec<String>> {
        let src = std::env::temp_dir().join(format!("imports-{}", uuid::Uuid::new_v4()));
        for (path, text) in files {
            let path = src.join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("created");
            std::fs::write(path, text).expect("written");
        }
        let modules = Modules::read(&src).expect("modules");
        std::fs::remove_dir_all(&src).expect("removed");
        circles(&modules)
    }

    #[test]
    fn two_files_that_import_each_other_are_a_circle() {
        let found = circles_of([
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b.rs", "pub struct B; fn f() { super::a::A; }"),
        ]);
        assert_eq!(found, [["src/a", "src/b"]]);
    }

    #[test]
    fn a_circle_by_way_of_a_reexport_is_one_of_the_files_that_define() {
        let found = circles_of([
            ("lib.rs", "mod a; mod b;"),
            ("a/mod.rs", "mod inner; pub use inner::Inner;"),
            ("a/inner.rs", "use crate::b::B; pub struct Inner;"),
            ("b.rs", "use crate::a::Inner; pub struct B;"),
        ]);
        assert_eq!(found, [["src/a/inner", "src/b"]]);
    }

    #[test]
    fn a_child_that_imports_what_its_module_defines_and_gives_back_is_a_circle() {
        let found = circles_of([
            ("lib.rs", "mod a;"),
            (
                "a/mod.rs",
                "mod child; pub use child::Child; pub struct Parent;",
            ),
            ("a/child.rs", "use super::Parent; pub struct Child;"),
        ]);
        assert_eq!(found, [["src/a", "src/a/child"]]);
    }

    #[test]
    fn imports_that_go_one_way_and_tests_are_no_circle() {
        let found = circles_of([
            ("lib.rs", "mod a; mod b;"),
            (
                "a.rs",
                "pub struct A; #[cfg(test)] mod tests { use crate::b::B; }",
            ),
            ("b.rs", "use crate::a::A; pub struct B;"),
        ]);
        assert!(found.is_empty(), "{found:?}");
    }
}
