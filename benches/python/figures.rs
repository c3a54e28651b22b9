//! The figures: what is compared, in rounds, and how numbers are written.

use crate::process::{Client, Clients, Cost, Work};

/// What a number is.
#[derive(Clone, Copy)]
pub enum Unit {
    PerSecond,
    Seconds,
    Mebibytes,
}

impl Unit {
    pub fn write(self, value: f64) -> String {
        let number = |value: f64| match value {
            _ if value >= 10_000.0 => thousands((value / 100.0).round() * 100.0),
            _ if value >= 1_000.0 => thousands((value / 10.0).round() * 10.0),
            _ if value >= 100.0 => format!("{value:.0}"),
            _ if value >= 10.0 => format!("{value:.1}"),
            _ => format!("{value:.2}"),
        };
        match self {
            Self::PerSecond => number(value),
            Self::Seconds if value >= 1.0 => format!("{} s", number(value)),
            Self::Seconds if value >= 1e-3 => format!("{} ms", number(value * 1e3)),
            Self::Seconds => format!("{} µs", number(value * 1e6)),
            Self::Mebibytes => format!("{} MiB", number(value)),
        }
    }

    fn is_better(self, one: f64, other: f64) -> bool {
        match self {
            Self::PerSecond => one > other,
            _ => one < other,
        }
    }
}

/// `1234567` as `1,234,567`.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut written = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            written.push(',');
        }
        written.push(digit);
    }
    written
}

/// One row: the values of each client, in the order of [`Client::ALL`], sorted.
pub struct Figure {
    pub name: &'static str,
    pub unit: Unit,
    values: [Vec<f64>; 3],
}

impl Figure {
    fn new(name: &'static str, unit: Unit, mut values: [Vec<f64>; 3]) -> Self {
        for values in &mut values {
            values.sort_by(f64::total_cmp);
        }
        Self { name, unit, values }
    }

    pub fn median(&self, client: Client) -> f64 {
        let values = &self.values[client as usize];
        values[values.len() / 2]
    }

    /// The lowest and the highest value.
    pub fn spread(&self, client: Client) -> (f64, f64) {
        let values = &self.values[client as usize];
        (values[0], values[values.len() - 1])
    }

    /// The better one of Python's two clients.
    pub fn better_python(&self) -> Client {
        let [one, other] = [Client::PythonAsync, Client::PythonSync];
        match self.unit.is_better(self.median(one), self.median(other)) {
            true => one,
            false => other,
        }
    }

    /// How many times better the SDK is than the better one of Python's clients.
    pub fn ratio(&self) -> f64 {
        let (ours, theirs) = (self.median(Client::Sdk), self.median(self.better_python()));
        match self.unit {
            Unit::PerSecond => ours / theirs,
            _ => theirs / ours,
        }
    }
}

/// The costs of one piece of work, round by round, with how much of it each client did.
pub struct Costs(Vec<[(Cost, f64); 3]>);

/// Lets the clients do the work by turns. The first round is not counted: it fills the caches of files.
pub fn rounds(clients: &Clients, rounds: usize, work: impl Fn(Client) -> Work) -> Costs {
    let measure = |client: Client| {
        let work = work(client);
        (clients.measure(client, work), work.count() as f64)
    };
    let all = (0..=rounds).map(|round| {
        eprint!(".");
        let mut order = Client::ALL;
        order.rotate_left(round % Client::ALL.len());
        let mut costs = order.map(|client| (client, measure(client)));
        costs.sort_by_key(|(client, _)| *client as usize);
        costs.map(|(_, cost)| cost)
    });
    Costs(all.skip(1).collect())
}

impl Costs {
    /// A figure of these costs; `value` is given a cost, and the count of what was done.
    pub fn figure(
        &self,
        name: &'static str,
        unit: Unit,
        value: impl Fn(&Cost, f64) -> f64,
    ) -> Figure {
        let of = |client: Client| {
            let costs = self.0.iter().map(|costs| &costs[client as usize]);
            costs.map(|(cost, count)| value(cost, *count)).collect()
        };
        Figure::new(name, unit, Client::ALL.map(of))
    }

    /// How much of the time of the work the server was busy, with each client.
    pub fn server_share(&self) -> [f64; 3] {
        let figure = self.figure("", Unit::Seconds, |cost, _| cost.server_cpu / cost.work);
        Client::ALL.map(|client| figure.median(client))
    }
}
