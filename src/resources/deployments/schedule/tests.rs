//! Schedules are judged as Prefect's server judges them.

use chrono::TimeZone as _;

use super::*;

/// What a server of Prefect 3.8.8 made of texts: it refused them (`refused`), failed (`error500`), planned no run ever
/// (`never`), computed dates for more than 10 s (`hang`), or planned runs (`fires`).
const VERDICTS: &str = include_str!("../../../../tests/all/resources/schedules.json");

#[derive(serde::Deserialize)]
struct Verdicts {
    cron: Vec<(String, String)>,
    rule: Vec<(String, String)>,
}

fn verdicts() -> Verdicts {
    serde_json::from_str(VERDICTS).expect("the verdicts")
}

/// When the verdicts were recorded.
fn then() -> chrono::NaiveDateTime {
    Utc.with_ymd_and_hms(2026, 11, 26, 16, 0, 0)
        .unwrap()
        .naive_utc()
}

#[test]
fn cron_expressions_are_judged_as_the_server_judges_them() {
    let mut wrong = Vec::new();
    for (text, verdict) in verdicts().cron {
        if text.chars().any(|c| !c.is_ascii() && c.is_numeric()) {
            continue;
        }
        let fires = Cron::parse(&text).is_ok_and(|cron| cron.fires(then(), false));
        if fires != (verdict == "fires") {
            wrong.push(format!("{text:?}: {verdict}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Rules that the server takes and we do not: with `INTERVAL=0` one fires once, dateutil fails in some years beyond this
/// Easter, and some make the server compute millions of dates.
const REFUSED_ON_PURPOSE: [&str; 3] = ["INTERVAL must be positive", "BYEASTER", "too many dates"];

/// How many rules of a hundred may be left to the server: those with a date in an unusual form, and some that it computes for
/// too long.
const MAX_LEFT_TO_THE_SERVER: usize = 4;

#[test]
fn recurrence_rules_are_judged_as_the_server_judges_them() {
    let (mut wrong, mut left, mut all) = (Vec::new(), Vec::new(), 0);
    for (text, verdict) in verdicts().rule {
        if !text.is_ascii() {
            continue;
        }
        all += 1;
        match (&*verdict, rule::check(&text, then(), is_zone)) {
            ("fires", Ok(())) => {}
            ("fires", Err(why)) if REFUSED_ON_PURPOSE.iter().any(|known| why.contains(known)) => {}
            ("fires", Err(why)) => wrong.push(format!("{text:?} is refused: {why}")),
            (_, Ok(())) => left.push(text),
            (_, Err(_)) => {}
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        left.len() * 100 <= all * MAX_LEFT_TO_THE_SERVER,
        "{} of {all}:\n{}",
        left.len(),
        left.join("\n")
    );
}

#[test]
fn the_reason_of_a_refusal_says_what_to_do() {
    for (rule, why) in [
        (
            "FREQ=DAILY;COUNT=3",
            "without a DTSTART it counts from 1 January 2020",
        ),
        ("FREQ=DAILY;UNTIL=20200101", "it never fires"),
        ("COUNT=3", "there is no FREQ"),
        ("FREQ=MINUTELY;INTERVAL=0", "INTERVAL must be positive"),
        ("FREQ=MONTHLY;BYDAY=2MO(+1)", "is wrong"),
        (
            "DTSTART:20260101 FREQ=DAILY;UNTIL=20300101T000000Z",
            "must both have a time zone",
        ),
    ] {
        let said = Schedule::rrule(rule).expect_err(rule).to_string();
        assert!(said.contains(why), "{said}");
    }
    for cron in ["0 0 30 2 *", "0 0 1 1 * 0 2020"] {
        let said = Schedule::cron(cron).expect_err(cron).to_string();
        assert!(said.contains("never fires"), "{said}");
    }
    // Both a 31st and a Monday there are, but no 31st of February.
    let either = Schedule::cron("0 0 13 * fri").expect("either");
    assert!(either.day_or(false).is_ok(), "Friday the 13th");
}

#[test]
fn a_time_zone_is_one_that_the_server_finds() {
    let zone = |name: &str| Schedule::cron("@daily")?.timezone(name);
    for name in [
        "UTC",
        "Europe/Berlin",
        "US/Eastern",
        "EST",
        "Etc/GMT+5",
        "Factory",
        "localtime",
        "",
    ] {
        assert!(zone(name).is_ok(), "{name:?}");
    }
    for name in [
        "berlin",
        "utc",
        "+01:00",
        "GMT+1",
        " UTC",
        "Europe/Berlinx",
        "posixrules",
        "Factory1",
    ] {
        assert!(zone(name).is_err(), "{name:?}");
    }
    let rule = || Schedule::rrule("FREQ=DAILY").unwrap();
    assert!(rule().timezone("UTC+3").is_err() && rule().timezone("").is_err());
    let hourly = Schedule::interval(Duration::from_secs(3600)).unwrap();
    assert!(hourly.timezone("").is_err());
}

#[test]
fn what_does_not_fit_is_refused() {
    let rule = || Schedule::rrule("FREQ=DAILY").unwrap();
    assert!(rule().day_or(true).is_err() && rule().anchor(Utc::now()).is_err());
    let years = Duration::from_secs(8_000 * 366 * 86_400);
    let intervals = [
        Duration::ZERO,
        Duration::from_nanos(499),
        years,
        Duration::MAX,
    ];
    assert!(intervals.map(Schedule::interval).iter().all(Result::is_err));
}
