//! Names for runs that are given none.

/// A name as the server gives one: an adjective and an animal.
pub(crate) fn random_name() -> String {
    const ADJECTIVES: [&str; 8] = [
        "amber", "brisk", "calm", "daring", "eager", "gentle", "nimble", "quiet",
    ];
    const ANIMALS: [&str; 8] = [
        "badger", "crane", "dolphin", "finch", "heron", "lynx", "otter", "wombat",
    ];
    let of = |words: [&'static str; 8]| words[fastrand::usize(..words.len())];
    format!("{}-{}", of(ADJECTIVES), of(ANIMALS))
}
