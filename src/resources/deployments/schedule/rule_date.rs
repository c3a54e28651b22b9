//! Dates in recurrence rules, as dateutil reads them.

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};

pub(super) const SECONDS_A_DAY: i64 = 86_400;

/// A date of a rule in a form that is read here; `None` stands for one that only the server understands.
pub(super) type Date = Option<KnownDate>;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct KnownDate {
    /// The wall clock in seconds since the year 0: the schedule's own time zone replaces that of the date.
    pub at: i64,
    /// Whether it has a time zone; `None` if only the server knows.
    pub has_zone: Option<bool>,
}

/// Reads dates that are separated by commas, of a property that may have a time zone; `None` if only the server knows.
pub(super) fn read_dates(text: &str, zone: Option<bool>) -> Result<Vec<Date>, String> {
    text.split(',')
        .map(|text| {
            let date = read_date(text).ok_or_else(|| format!("the date {text:?} is wrong"))?;
            Ok(match (date, zone) {
                (Some(date), Some(true)) if date.has_zone == Some(true) => {
                    return Err(format!("{text:?} has two time zones"));
                }
                (Some(date), has_zone) if date.has_zone == Some(false) => {
                    Some(KnownDate { has_zone, ..date })
                }
                (date, _) => date,
            })
        })
        .collect()
}

/// Reads a date in capitals; `None` if dateutil does not understand it.
pub(super) fn read_date(text: &str) -> Option<Date> {
    // 20260131 or 2026-01-31, and then maybe T12, T1230, T123059, T12:30, T12:30:59, and then maybe a time zone.
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '9' } else { c })
        .collect();
    let (date, time) = shape
        .split_once('T')
        .map_or((&*shape, ""), |(date, time)| (date, time));
    let zone = time
        .find(|c: char| c != '9' && c != ':')
        .unwrap_or(time.len());
    let (time, zone) = time.split_at(zone);
    let known = matches!(time, "" | "99" | "9999" | "999999" | "99:99" | "99:99:99")
        && matches!(
            zone,
            "" | "Z" | "UTC" | "GMT" | "+99" | "-99" | "+9999" | "-9999" | "+99:99" | "-99:99"
        );
    if (date == "99999999" || date == "9999-99-99") && known {
        if time.is_empty() && !zone.is_empty() {
            return None;
        }
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let hms = 8 + time.chars().filter(|c| *c == '9').count();
        let part = |from: usize, to: usize| {
            if from < hms {
                digits[from..to].parse::<u32>().ok()
            } else {
                Some(0)
            }
        };
        let date = NaiveDate::from_ymd_opt(part(0, 4)? as i32, part(4, 6)?, part(6, 8)?)
            .filter(|date| date.year() > 0)?;
        let at = date.and_hms_opt(part(8, 10)?, part(10, 12)?, part(12, 14)?)?;
        return Some(Some(KnownDate {
            at: seconds(at),
            has_zone: Some(!zone.is_empty()),
        }));
    }
    if date == "99999999"
        && (zone == "Z" || zone.is_empty())
        && time.bytes().all(|b| b == b'9')
        && !time.is_empty()
        || shape == "99999999Z"
    {
        return None;
    }
    may_be_words(text).then_some(None)
}

/// Whether dateutil may read a date of words and numbers, such as `1 MAY 2026`.
fn may_be_words(text: &str) -> bool {
    // Words that dateutil knows; others of up to five letters may be a time zone, after an hour.
    const WORDS: &str = " AT ON AND AD M T OF ST ND RD TH MON MONDAY TUE TUESDAY WED WEDNESDAY THU THURSDAY FRI \
        FRIDAY SAT SATURDAY SUN SUNDAY JAN JANUARY FEB FEBRUARY MAR MARCH APR APRIL MAY JUN JUNE JUL JULY AUG \
        AUGUST SEP SEPT SEPTEMBER OCT OCTOBER NOV NOVEMBER DEC DECEMBER H HOUR HOURS MINUTE MINUTES S SECOND \
        SECONDS AM A PM P ";
    const NAMES: &str =
        " MON TUE WED THU FRI SAT SUN JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC ";
    let mut digits = false;
    let mut dated = false;
    for run in text.split_inclusive(|c: char| !c.is_ascii_alphabetic()) {
        let word = run.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
        if !word.is_empty() && !WORDS.contains(&format!(" {word} ")) && (word.len() > 5 || !digits)
        {
            return false;
        }
        dated |= word.len() >= 3 && NAMES.contains(&format!(" {} ", &word[..3]));
        let rest = &run[word.len()..];
        digits |= rest.starts_with(|c: char| c.is_ascii_digit());
        if !rest
            .chars()
            .all(|c| c.is_ascii_digit() || ".,;-/'+:()\0".contains(c))
        {
            return false;
        }
    }
    digits || dated
}

/// The seconds since the year 0.
pub(super) fn seconds(at: NaiveDateTime) -> i64 {
    i64::from(at.num_days_from_ce()) * SECONDS_A_DAY + i64::from(at.num_seconds_from_midnight())
}
