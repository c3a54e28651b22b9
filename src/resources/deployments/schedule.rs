//! `Schedule`: when a deployment runs, checked before anything is sent.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::TZ_VARIANTS;
use rrule::{RRule, Unvalidated};

use crate::error::{Error, Result};
use crate::types::{self, DeploymentScheduleCreate, Json};

/// When a deployment runs: by a cron expression, at an interval, or by a recurrence rule.
///
/// A schedule that the server would refuse is an [`InvalidRequest`](crate::ErrorKind::InvalidRequest) at
/// once, with the reason. Nothing that it accepts is refused; a few unusual forms are left to the server.
///
/// ```
/// use std::time::Duration;
/// use chrono::{TimeZone, Utc};
/// use prefect_sdk::{types, deployments::Schedule};
///
/// let nightly = Schedule::cron("0 6 * * mon-fri")?.timezone("Europe/Berlin")?;
/// let nightly = nightly.parameters(serde_json::json!({ "all": true })).slug("night").max_runs(3);
/// let nightly = types::DeploymentScheduleCreate::from(nightly.paused());
///
/// let noon = Utc.with_ymd_and_hms(2026, 1, 1, 12, 0, 0).unwrap();
/// let daily = Schedule::interval(Duration::from_secs(86_400))?.anchor(noon)?;
/// let not_at_christmas = Schedule::rrule("RRULE:FREQ=DAILY\nEXDATE:20261225,20261226")?;
/// let friday_13th = types::Schedule::from(Schedule::cron("0 9 13 * fri")?.day_or(false)?);
/// assert!(Schedule::cron("0 25 * * *").unwrap_err().is_invalid_request());
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a schedule does nothing until it is added to a deployment"]
pub struct Schedule(DeploymentScheduleCreate);

impl Schedule {
    /// Creates a schedule from a cron expression, as Prefect's croniter reads it: minute, hour, day, month,
    /// weekday, and optionally seconds and years; or `@daily` and the like. `L` is the last day of a month.
    ///
    /// # Errors
    ///
    /// When the expression is invalid. Prefect does not accept `R` or `H`.
    pub fn cron(expression: &str) -> Result<Self> {
        check("cron expression", expression, check_cron)?;
        Ok(Self::new(types::CronSchedule::new(expression)))
    }

    /// Creates a schedule from an interval, counted from now unless there is an [`anchor`](Self::anchor).
    ///
    /// # Errors
    ///
    /// When the interval is shorter than half a microsecond, or a thousand million days or longer.
    pub fn interval(interval: Duration) -> Result<Self> {
        // The range of a Python `timedelta`, which rounds to microseconds, except 0.
        if !(5e-7..86_400e9).contains(&interval.as_secs_f64()) {
            let why = format!("an interval cannot be {interval:?}");
            return Err(Error::invalid_request(why));
        }
        Ok(Self::new(types::IntervalSchedule::new(interval)))
    }

    /// Creates a schedule from a recurrence rule of RFC 5545, as Prefect's dateutil reads it: at most 6500
    /// characters. Without a `DTSTART` the server counts from midnight of 1 January 2020.
    ///
    /// # Errors
    ///
    /// When the rule is invalid.
    pub fn rrule(rule: &str) -> Result<Self> {
        check("recurrence rule", rule, check_rrule)?;
        Ok(Self::new(types::RRuleSchedule::new(rule)))
    }

    /// Sets the time zone that the schedule follows, by its IANA name. Default: UTC.
    ///
    /// # Errors
    ///
    /// When there is no time zone of that name: `berlin`, `utc` and `+01:00` are not names. (A zone that is
    /// newer than the crate `chrono-tz` can be set in the [`types`].)
    pub fn timezone(mut self, name: &str) -> Result<Self> {
        let (field, rule) = match &mut self.0.schedule {
            types::Schedule::Cron(cron) => (&mut cron.timezone, false),
            types::Schedule::Interval(interval) => (&mut interval.timezone, false),
            types::Schedule::RRule(rule) => (&mut rule.timezone, true),
            _ => return Err(Error::invalid_request("the schedule is of an unknown type")),
        };
        // Servers know two more zones, and treat an empty name as UTC. In a rule's zone they search for a
        // name anywhere: `UTC+3` contains one.
        let mut zones = TZ_VARIANTS.iter().map(|zone| zone.name());
        let known = zones.any(|zone| name == zone || rule && name.contains(zone));
        if !known && !name.contains("Factory") && (rule || !["", "localtime"].contains(&name)) {
            return Err(invalid("time zone", name, "it is not an IANA name"));
        }
        *field = name.into();
        Ok(self)
    }

    /// Sets a time from which the interval counts, forwards and backwards.
    ///
    /// # Errors
    ///
    /// When the schedule is not an interval.
    pub fn anchor(mut self, date: DateTime<Utc>) -> Result<Self> {
        let types::Schedule::Interval(interval) = &mut self.0.schedule else {
            return Err(Error::invalid_request("`anchor` is for an interval only"));
        };
        interval.anchor_date = Some(date);
        Ok(self)
    }

    /// Sets whether a cron expression with both days and weekdays means either (the default) or, with
    /// `false`, only the days that match both.
    ///
    /// # Errors
    ///
    /// When the schedule is not a cron expression.
    pub fn day_or(mut self, either: bool) -> Result<Self> {
        let types::Schedule::Cron(cron) = &mut self.0.schedule else {
            return Err(Error::invalid_request("`day_or` is for cron expressions"));
        };
        cron.day_or = Some(either);
        Ok(self)
    }

    /// Sets the parameters that its runs get instead of the deployment's own: a JSON object.
    pub fn parameters(self, parameters: impl Into<Json>) -> Self {
        Self(self.0.parameters(parameters))
    }

    /// Sets a name that is unique in the deployment.
    pub fn slug(self, slug: impl Into<String>) -> Self {
        Self(self.0.slug(slug.into()))
    }

    /// Sets how many runs are planned ahead at most: from 1 to the server's own limit (50 by default).
    pub fn max_runs(self, runs: u32) -> Self {
        Self(self.0.max_scheduled_runs(runs))
    }

    /// Plans no runs until the schedule is made active.
    pub fn paused(self) -> Self {
        Self(self.0.active(false))
    }

    fn new(schedule: impl Into<types::Schedule>) -> Self {
        Self(DeploymentScheduleCreate::new(schedule))
    }
}

impl From<Schedule> for DeploymentScheduleCreate {
    fn from(schedule: Schedule) -> Self {
        schedule.0
    }
}

/// Keeps only the times: without parameters, slug, number of runs and pause.
impl From<Schedule> for types::Schedule {
    fn from(schedule: Schedule) -> Self {
        schedule.0.schedule
    }
}

fn invalid(what: &str, text: &str, why: &str) -> Error {
    Error::invalid_request(format!("the {what} {text:?} is invalid: {why}"))
}

fn check(what: &str, text: &str, check: fn(&str) -> Result<(), String>) -> Result<()> {
    // Python accepts digits and white space beyond ASCII, so such text is left to the server. (And on
    // weekdays that are not ASCII the crate rrule panics.)
    let mut bytes = text.bytes();
    if !bytes.all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
        return Ok(());
    }
    check(text).map_err(|why| invalid(what, text, &why))
}

/// Uses croner to check numbers, steps, and the number of fields. Its dialect differs from croniter's
/// (seconds first, no `22-2`, but `W` and `5L`), so it gets each field as a list of single values.
fn check_cron(text: &str) -> Result<(), String> {
    let lower = text.to_lowercase().replace("@midnight", "@daily");
    let fields: Vec<_> = lower.split_ascii_whitespace().collect();
    let places = fields.iter().enumerate();
    let fields = places.map(|(place, field)| cron_field(place, field, fields.len()));
    let mut fields: Vec<_> = fields.collect::<Result<_, _>>()?;
    if let Some(fields) = fields.get_mut(..6) {
        fields.rotate_right(1);
    }
    let cron = fields.join(" ").parse::<croner::Cron>();
    cron.map(drop).map_err(|error| error.to_string())
}

fn cron_field(place: usize, field: &str, count: usize) -> Result<String, String> {
    const MONTHS: &str = "jan feb mar apr may jun jul aug sep oct nov dec";
    let names = ["", "", "l", MONTHS, "sun mon tue wed thu fri sat"];
    let names = names.get(place).unwrap_or(&"");
    // Prefect accepts a random value such as `r/15`, though not `r`.
    for (start, as_croner) in [("@", field), ("r(", "*"), ("r/", "*")] {
        if field.starts_with(start) {
            return Ok(as_croner.to_owned());
        }
    }
    let mut values = Vec::new();
    for mut item in field.split(',') {
        if let Some((days, nth)) = item.split_once('#').filter(|_| place == 4) {
            values.push(format!("0#{nth}"));
            item = days;
        } else if place == 4 {
            item = item.strip_prefix('l').unwrap_or(item);
        }
        let (range, step) = item.split_once('/').unwrap_or((item, "1"));
        // croner uses 16-bit numbers.
        let too_long = matches!(step.parse::<u64>(), Ok(10_000..));
        values.push(format!("*/{}", if too_long { "9999" } else { step }));
        let (_, high) = range.split_once('-').unwrap_or((range, "1"));
        for value in range.splitn(2, '-') {
            match (value, value.parse::<u64>()) {
                ("*", _) if range == "*" => {}
                ("?", _) if field == "?" && (place == 2 || place == 4) => {}
                // Where 0 is not a value, a range may still end in it; with six fields, day 0 means day 1.
                (_, Ok(0)) if high.parse() == Ok(0) || place == 2 && count == 6 => {}
                // With more than five fields croniter has no weekday 7, so croner gets 8, which it refuses.
                (_, Ok(7)) if place == 4 && count > 5 => values.push("8".to_owned()),
                (_, Err(_)) if names.split(' ').all(|name| name != value) || value.is_empty() => {
                    return Err(format!("field {} cannot be {field:?}", place + 1));
                }
                _ => values.push(value.to_owned()),
            }
        }
    }
    Ok(values.join(","))
}

fn check_rrule(text: &str) -> Result<(), String> {
    let text = text.to_uppercase();
    if text.len() > 6500 || !text.contains("FREQ=") && !text.contains("DATE") {
        return Err("it has more than 6500 characters, or no FREQ".to_owned());
    }
    // dateutil treats any white space as the end of a line.
    for line in text.split_ascii_whitespace() {
        let (property, value) = line.split_once(':').unwrap_or(("RRULE", line));
        let rule = value.strip_prefix("RRULE:").unwrap_or(value);
        let unfit = match property.split_once(';').unwrap_or((property, "")) {
            ("RRULE" | "EXRULE", "") => rule.split(';').find(|part| !is_part(part, rule)),
            ("RDATE" | "EXDATE" | "DTSTART", _) => value.split(',').find(|date| !is_date(date)),
            _ => Some(line),
        };
        if let Some(unfit) = unfit {
            return Err(format!("{unfit:?} is wrong"));
        }
    }
    Ok(())
}

/// Uses the crate to check the time of day and all that is not a number: dateutil accepts any other number.
fn is_part(part: &str, rule: &str) -> bool {
    let (name, value) = part.split_once('=').unwrap_or((part, ""));
    let mut numbers = value.split(|c| c == ',' && name.starts_with("BY"));
    let often = rule.contains("HOURLY") || rule.contains("MINUTELY") || rule.contains("SECONDLY");
    // The last of several parts with the same name counts, and Python accepts the numbers `-0` and `1_0`.
    let odd = rule.matches(name).count() > 1 || value.contains(['-', '_']);
    let alone = format!("FREQ=DAILY;{part}");
    match name {
        _ if value.is_empty() || value.contains([':', '=']) => false,
        "FREQ" => is_rule(part),
        "UNTIL" => is_date(value),
        // The crate does not know `MO(+1)`.
        "BYDAY" | "BYWEEKDAY" if value.contains('(') => true,
        "BYHOUR" | "BYMINUTE" | "BYSECOND" if !often && !odd => is_rule(&alone),
        "INTERVAL" | "COUNT" | "BYHOUR" | "BYMINUTE" | "BYSECOND" | "BYMONTH" | "BYMONTHDAY"
        | "BYYEARDAY" | "BYWEEKNO" | "BYEASTER" | "BYSETPOS" => {
            numbers.all(|number| number.replace('_', "").parse::<i128>().is_ok())
        }
        _ => is_rule(&alone),
    }
}

/// Checks only the forms of RFC 5545: dateutil also reads `2026-01-31` and `MAY`.
fn is_date(date: &str) -> bool {
    // In UTC, because the crate uses this machine's time zone, in which the time may not exist.
    let rest = match &*date.replace(|digit: char| digit.is_ascii_digit(), "9") {
        "99999999" => "T000000Z",
        "99999999T999999" => "Z",
        "99999999T999999Z" => "",
        other => return !other.is_empty(),
    };
    is_rule(&format!("FREQ=DAILY;UNTIL={date}{rest}"))
}

fn is_rule(rule: &str) -> bool {
    rule.parse::<RRule<Unvalidated>>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // What server 3.8.8 accepts, what it refuses, and what it refuses although these checks let it through.
    const CRON: [&str; 3] = [
        "* * * * *|*/5 0-6,22 1,15 * 1-5|0 6 * JAN-mar Sun|0 0 * * 7|0 0 ? * ?|0 0 31 2 *|\
         *,5 * * * *|0 0 L,5-L * *|0 0 * * L5|0 0 * * fri#2,mon-tue#1|0 22-2/2 * * fri-mon|\
         5/20 * * * *|@midnight|*/70000 * * * *|@Daily|* * * * * */30|0 0 0 * * 0|\
         0 0 1 1 * 0 2030-2040|0 0 0-0 * *|R/15 * * * *|r(0-29) 6 * * *| 0  6 * * * |٣ * * * *",
        "|* * * *|* * * * * * * *|60 * * * *|0 24 * * *|0 0 0 * *|0 0 * * 8|*/0 * * * *|\
         1,,2 * * * *|-5 * * * *|mon 0 * * *|0 0 * * L|0 0 * * 5L|0 0 LW * *|0 0 * * +1|\
         0 0 * * 5#6|? * * * *|R * * * *|H(0-5) * * * *|0 0 * * 7 0|0 0 * * * 60|@reboot",
        " @daily|0 0 * * 5#2,1|0 0 * * 1-5#2|0 0 * * *#1|0 0 L-3 * *|0 0 * * * 0 1969|r/x * * * *",
    ];
    const RRULE: [&str; 3] = [
        "FREQ=DAILY|rrule:freq=weekly;byday=mo,-1fr|RRULE:FREQ=DAILY;UNTIL=20300101T000000Z|\
         DTSTART;TZID=Europe/Berlin:20260101T090000 RRULE:FREQ=DAILY EXDATE:20260102T090000|\
         DTSTART:20260101 FREQ=DAILY RDATE:20260107,20260108 EXRULE:FREQ=YEARLY|EXDATE:20260101|\
         FREQ=DAILY;BYMONTH=13;INTERVAL=-1|FREQ=YEARLY;BYEASTER=-2,0|FREQ=DAILY;UNTIL=2030-01-01|\
         FREQ=MONTHLY;BYDAY=MO(+1);BYSETPOS=1|FREQ=HOURLY;BYHOUR=25|FREQ=DAILY;BYHOUR=1_0,-0",
        "|DTSTART:20260101|COUNT=3|FREQ=FORTNIGHTLY|FREQ=DAILY;|FREQ=DAILY;X=1|\
         FREQ=DAILY;BYHOUR=24|FREQ=DAILY;BYDAY=MONDAY|FREQ=DAILY;COUNT=x|FREQ=DAILY;INTERVAL=1,2|\
         FREQ=DAILY;UNTIL=20260230|RRULE:FREQ=DAILY;UNTIL=2030-01-01T00:00:00|RRULE;X=1:FREQ=DAILY|\
         XRULE:FREQ=DAILY|EXDATE:20261301 FREQ=DAILY|FREQ=DAILY;BYEASTER=x|FREQ=DAILY;BYHOUR=",
        "FREQ=DAILY;UNTIL=JUNK|DTSTART:JUNK FREQ=DAILY|FREQ=DAILY;BYDAY=0MO|FREQ=DAILY;BYSETPOS=0|\
         FREQ=DAILY;BYHOUR=-1|DTSTART:20260101 FREQ=DAILY;UNTIL=20300101T000000Z|\
         FREQ=MINUTELY;INTERVAL=0|FREQ=SECONDLY;INTERVAL=60;BYSECOND=3|RDATE;TZID=UTC:20260101",
    ];
    const ZONE: [&str; 3] = [
        "UTC|Europe/Berlin|US/Eastern|EST|EST5EDT|Etc/GMT+5|GMT0|Europe/Kyiv|Factory|localtime|",
        "berlin|utc|europe/berlin|+01:00|GMT+1|Z| UTC|Europe/Berlinx|Mars/Olympus|posixrules",
        "Factory1",
    ];

    #[test]
    fn verdicts_are_as_recorded_of_the_server() {
        let zone = |name: &str| Schedule::cron("@daily")?.timezone(name);
        let checks: [fn(&str) -> Result<Schedule>; 3] = [Schedule::cron, Schedule::rrule, zone];
        for (check, [accepted, refused, let_through]) in checks.iter().zip([CRON, RRULE, ZONE]) {
            for (texts, verdict) in [(accepted, true), (refused, false), (let_through, true)] {
                for text in texts.split('|') {
                    assert_eq!(check(text).is_ok(), verdict, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let rule = || Schedule::rrule("FREQ=DAILY").unwrap();
        assert!(rule().timezone("UTC+3").is_ok() && rule().timezone("").is_err());
        assert!(rule().day_or(true).is_err() && rule().anchor(Utc::now()).is_err());
        let intervals = [Duration::ZERO, Duration::from_nanos(499), Duration::MAX];
        assert!(intervals.map(Schedule::interval).iter().all(Result::is_err));
    }
}
