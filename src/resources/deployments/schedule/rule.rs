//! Recurrence rules: what Prefect's server takes, by dateutil, and which never plan a run.

use chrono::{NaiveDate, NaiveDateTime};

use super::cron::is_space;
use super::rule_date::{Date, SECONDS_A_DAY, read_dates, seconds};
use super::rule_dates::NEVER;
use super::rule_part::Rule;

/// How many characters a rule may have.
const MAX_LENGTH: usize = 6500;

/// How many characters the server adds to a rule without a DTSTART.
const ADDED_LENGTH: usize = 24;

/// How many dates of a rule are compared with those of an EXRULE.
const MAX_COMPARED_DATES: usize = 1000;

/// Where a rule without a DTSTART starts.
const DEFAULT_START: NaiveDate = NaiveDate::from_ymd_opt(2020, 1, 1).expect("a date");

/// Checks that the server takes the rule, and that it plans a run from now on.
pub(super) fn check(
    text: &str,
    now: NaiveDateTime,
    is_zone: impl Fn(&str) -> bool,
) -> Result<(), String> {
    let has_start = text.to_ascii_uppercase().contains("DTSTART");
    let added = if has_start { 0 } else { ADDED_LENGTH };
    if text.len() + added > MAX_LENGTH {
        return Err(format!(
            "it has more than {} characters",
            MAX_LENGTH - added
        ));
    }
    let set = RuleSet::read(text, is_zone)?;
    set.check_fires(now, !has_start)
}

/// Rules and single dates, those of both that are left out, and the start of all.
#[derive(Default)]
struct RuleSet {
    start: Option<Date>,
    rules: Vec<Rule>,
    dates: Vec<Date>,
    excluded_rules: Vec<Rule>,
    excluded_dates: Vec<Date>,
}

impl RuleSet {
    fn read(text: &str, is_zone: impl Fn(&str) -> bool) -> Result<Self, String> {
        let upper = text.to_ascii_uppercase();
        let lines: Vec<_> = upper
            .split(is_space)
            .filter(|line| !line.is_empty())
            .collect();
        let mut set = Self::default();
        let is_rule = !upper.contains(':') || upper.starts_with("RRULE:");
        if let ([line], true) = (&*lines, is_rule) {
            set.rules
                .push(Rule::parse(line.strip_prefix("RRULE:").unwrap_or(line))?);
        } else {
            let zones = zone_names(text);
            for line in lines {
                set.read_line(line, &zones, &is_zone)?;
            }
        }
        let is_empty = set.rules.is_empty()
            && set.dates.is_empty()
            && set.excluded_rules.is_empty()
            && set.excluded_dates.is_empty();
        if is_empty {
            return Err("there is no rule".to_owned());
        }
        for rules in [&mut set.rules, &mut set.excluded_rules] {
            let checked = std::mem::take(rules).into_iter();
            *rules = checked
                .map(|rule| rule.check(set.start))
                .collect::<Result<_, _>>()?;
        }
        Ok(set)
    }

    fn read_line(
        &mut self,
        line: &str,
        zones: &[&str],
        is_zone: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        let (property, value) = line.split_once(':').unwrap_or(("RRULE", line));
        let (name, parameters) = match property.split_once(';') {
            Some((name, parameters)) => (name, Some(parameters)),
            None => (property, None),
        };
        let rule = value.strip_prefix("RRULE:").unwrap_or(value);
        let mut parameters = parameters
            .into_iter()
            .flat_map(|list| list.split(';'))
            .peekable();
        match name {
            "RRULE" if parameters.peek().is_none() => self.rules.push(Rule::parse(rule)?),
            "EXRULE" if parameters.peek().is_none() => {
                self.excluded_rules.push(Rule::parse(rule)?);
            }
            "RDATE" => {
                if parameters.any(|parameter| parameter != "VALUE=DATE-TIME") {
                    return Err(format!("{line:?} has a parameter"));
                }
                self.dates.extend(read_dates(value, Some(false))?);
            }
            "EXDATE" | "DTSTART" => {
                let (mut has_zone, mut kinds) = (Some(false), 0);
                for parameter in parameters {
                    match parameter.rsplit_once("TZID=") {
                        Some((_, key)) if parameter.starts_with("TZID=") => {
                            // dateutil ignores one that is not the last parameter or not in capitals.
                            let mut named = zones.iter().rev();
                            let named = named.find(|name| name.to_ascii_uppercase() == key);
                            if let Some(name) = named {
                                has_zone = is_zone(name).then_some(true);
                            }
                        }
                        _ if matches!(parameter, "VALUE=DATE" | "VALUE=DATE-TIME") => kinds += 1,
                        _ => return Err(format!("{line:?} has a wrong parameter")),
                    }
                }
                if kinds > 1 {
                    return Err(format!("{line:?} has two kinds of value"));
                }
                let dates = read_dates(value, has_zone)?;
                match (name, &*dates) {
                    ("EXDATE", _) => self.excluded_dates.extend(dates),
                    (_, [date]) => self.start = Some(*date),
                    _ => return Err("DTSTART has several dates".to_owned()),
                }
            }
            _ => return Err(format!("{line:?} is wrong")),
        }
        Ok(())
    }

    /// Checks that there is a date from now on, as far as this can be known.
    fn check_fires(&self, now: NaiveDateTime, has_default_start: bool) -> Result<(), String> {
        // The zone of the schedule is set later: everywhere it is this time at the earliest.
        let now = seconds(now) - SECONDS_A_DAY;
        let start = match self.start {
            None => seconds(DEFAULT_START.into()),
            Some(Some(start)) => start.at,
            Some(None) => return Ok(()),
        };
        let mut dates = self.dates.iter().chain(&self.excluded_dates);
        let mut rules = self.rules.iter();
        if dates.any(Option::is_none) || rules.any(|rule| rule.until == Some(None)) {
            return Ok(());
        }
        let most = match self.excluded_rules.is_empty() {
            true => self.excluded_dates.len() + 1,
            false => MAX_COMPARED_DATES,
        };
        let is_alone = has_default_start
            && self.rules.len() == 1
            && self.dates.is_empty()
            && self.excluded_dates.is_empty()
            && self.excluded_rules.is_empty();
        let known = self.dates.iter().flatten().map(|date| date.at);
        let mut left: Vec<_> = known.filter(|at| *at >= now).collect();
        for rule in &self.rules {
            left.extend(rule.dates(start, now, most, is_alone)?);
        }
        left.retain(|at| {
            self.excluded_dates
                .iter()
                .flatten()
                .all(|gap| gap.at != *at)
        });
        for rule in &self.excluded_rules {
            let excluded = rule.dates(start, now, 10 * MAX_COMPARED_DATES, false)?;
            // One that ends may leave later dates.
            if rule.until.is_none() && rule.count.is_none() {
                left.retain(|at| excluded.binary_search(at).is_err());
            }
        }
        if !left.is_empty() {
            return Ok(());
        }
        let counts = self.rules.iter().any(|rule| rule.count.is_some());
        Err(match has_default_start && counts {
            true => format!("{NEVER}: without a DTSTART it counts from 1 January 2020"),
            false => NEVER.to_owned(),
        })
    }
}

/// The names of time zones, which dateutil looks for in the whole text: `TZID=` in capitals up to a colon.
fn zone_names(mut text: &str) -> Vec<&str> {
    let mut found = vec![];
    while let Some((_, rest)) = text.split_once("TZID=") {
        text = rest;
        if let Some((name, rest)) = rest.split_once(':').filter(|(name, _)| !name.is_empty()) {
            found.push(name);
            text = rest;
        }
    }
    found
}
