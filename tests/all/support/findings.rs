//! What a check has found wrong, sorted by what it means for the user.

use std::fmt;

/// What is on the server against what the calls have reported. Each finding is a sentence.
#[derive(Debug, Default)]
pub struct Findings {
    /// A call reported that it was done, and it was not.
    pub lost: Vec<String>,
    /// Something was done twice, or although its call reported that it was not.
    pub doubled: Vec<String>,
    /// Something stayed behind that nobody holds.
    pub leaked: Vec<String>,
    /// A call reported what cannot be, such as a conflict over a name that is unique.
    pub untrue: Vec<String>,
}

impl Findings {
    pub fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// The findings, each with its kind.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let kinds = [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("leaked", &self.leaked),
            ("untrue", &self.untrue),
        ];
        kinds
            .into_iter()
            .flat_map(|(kind, of)| of.iter().map(move |it| (kind, it)))
    }

    /// Compares how often something was found with how often it must and how often it may be there.
    pub fn compare(
        &mut self,
        what: impl FnOnce() -> String,
        found: usize,
        [least, most]: [usize; 2],
    ) {
        let of = match found {
            _ if found < least => &mut self.lost,
            _ if found > most => &mut self.doubled,
            _ => return,
        };
        of.push(format!("{}: {found} found, not {least}..={most}", what()));
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all()
            .try_for_each(|(kind, it)| writeln!(f, "{kind}: {it}"))
    }
}
