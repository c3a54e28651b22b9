//! `Caller`: who proposes a state, as far as the server treats programs differently.

use crate::testing::fake::call::Call;

/// The first version of Prefect that renews the leases of deployments.
const RENEWS_LEASES: [u32; 3] = [3, 4, 11];

/// The versions of Prefect whose workers take the slots of deployments themselves.
const TAKE_SLOTS: [&str; 5] = ["3.0.0rc20", "3.0.0", "3.0.1", "3.0.2", "3.0.3"];

/// Who proposes a state: a version of Prefect, by the `User-Agent`, or somebody else.
#[derive(Clone, Copy, Default)]
pub(crate) struct Caller {
    /// The program renews the leases of deployments.
    pub renews_leases: bool,
    /// The program takes the slots of deployments itself.
    pub takes_slots: bool,
}

impl Caller {
    pub(crate) fn of(call: &Call<'_>) -> Self {
        let Some(version) = call.client_version() else {
            return Self::default();
        };
        Self {
            renews_leases: numbers(version).as_slice() >= RENEWS_LEASES.as_slice(),
            takes_slots: TAKE_SLOTS.contains(&version),
        }
    }
}

/// The numbers of a version.
fn numbers(version: &str) -> Vec<u32> {
    let parts = version.split('.').map_while(|part| {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        part[..digits].parse().ok()
    });
    parts.collect()
}
