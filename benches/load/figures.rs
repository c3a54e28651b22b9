//! What a part of the load has done, as one line.

use std::fmt;
use std::time::Duration;

use crate::support::Findings;

/// The figures of a part.
pub struct Figures {
    pub part: &'static str,
    /// How many operations, runs, acquisitions or events there were.
    pub count: usize,
    pub took: Duration,
    /// How many requests its clients have sent; 0 where other processes send them.
    pub requests: usize,
    pub details: String,
    pub findings: Findings,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        let each = self.count as f64 / seconds;
        write!(f, "{:<11}{:>6} in {seconds:.1} s", self.part, self.count)?;
        write!(f, ", {each:.1}/s")?;
        if self.requests > 0 {
            let each = self.requests as f64 / seconds;
            write!(f, ", {} requests ({each:.1}/s)", self.requests)?;
        }
        let Findings {
            lost,
            doubled,
            leaked,
            untrue,
        } = &self.findings;
        write!(
            f,
            "; lost {}, doubled {}, leaked {}",
            lost.len(),
            doubled.len(),
            leaked.len()
        )?;
        if !untrue.is_empty() {
            write!(f, ", untrue {}", untrue.len())?;
        }
        write!(f, "; {}", self.details)
    }
}

/// The least, the median and the greatest; there must be one.
pub fn spread(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    [
        sorted[0],
        sorted[sorted.len() / 2],
        sorted[sorted.len() - 1],
    ]
}

pub fn median(values: &[f64]) -> f64 {
    spread(values)[1]
}
