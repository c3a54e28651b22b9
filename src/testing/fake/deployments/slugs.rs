//! Which schedules an update of a deployment changes: by their slugs, where all have one.

use uuid::Uuid;

use super::new_schedule::new_schedule;
use super::schedules::Change;
use crate::testing::fake::reply::Refusal;
use chrono::{DateTime, Utc};

use crate::types::DeploymentSchedule;

/// The schedules of a deployment after an update; `None` where it leaves them alone.
pub(super) fn updated(
    now: DateTime<Utc>,
    deployment: Uuid,
    held: &[DeploymentSchedule],
    given: Option<Vec<Change>>,
) -> Result<Option<Vec<DeploymentSchedule>>, Refusal> {
    let all_given_have_slugs = given.iter().flatten().all(|change| change.slug().is_some());
    let all_held_have_slugs = !held.is_empty() && held.iter().all(|held| held.slug.is_some());
    match (all_given_have_slugs, all_held_have_slugs) {
        (true, true) => by_slug(now, deployment, held, given.unwrap_or_default()).map(Some),
        (false, true) => Err(unprocessable(
            "Please provide a slug for each schedule in your request to ensure schedules are updated correctly.",
        )),
        _ => {
            let Some(given) = given else {
                return Ok(None);
            };
            let mut schedules = Vec::new();
            for new in given.into_iter().filter_map(Change::into_creation) {
                schedules.insert(0, new_schedule(now, deployment, new)?);
            }
            Ok(Some(schedules))
        }
    }
}

/// Changes those schedules that are named, and adds those that there are not; all others stay.
fn by_slug(
    now: DateTime<Utc>,
    deployment: Uuid,
    held: &[DeploymentSchedule],
    given: Vec<Change>,
) -> Result<Vec<DeploymentSchedule>, Refusal> {
    let is_held = |slug: &str| held.iter().any(|held| held.slug == slug);
    let mut replaced: Vec<&str> = Vec::new();
    for slug in given.iter().filter_map(Change::replaces) {
        if replaced.contains(&slug) {
            return Err(unprocessable(&format!(
                "Multiple schedules have 'replaces' targeting the same slug: {slug}"
            )));
        }
        replaced.push(slug);
    }
    for change in &given {
        let slug = change.slug().unwrap_or_default();
        if let Some(old) = change.replaces()
            && !slug.is_empty()
            && is_held(slug)
            && !replaced.contains(&slug)
        {
            return Err(unprocessable(&format!(
                "Cannot rename schedule from '{old}' to '{slug}': a schedule with slug '{slug}' already exists."
            )));
        }
    }
    let (mut changes, mut additions) = (Vec::new(), Vec::new());
    for change in given {
        let target = change
            .replaces()
            .or(change.slug())
            .unwrap_or_default()
            .to_owned();
        match is_held(&target) {
            true => changes.push((target, change)),
            false if change.has_schedule() => additions.push(change),
            false => {
                return Err(unprocessable(
                    "Unable to create new deployment schedules without a schedule configuration.",
                ));
            }
        }
    }
    let mut schedules = held.to_vec();
    // Those that are renamed lose their slugs first, so that two can swap them.
    let mut renamed = Vec::new();
    for (target, change) in &changes {
        let place = schedules.iter_mut().find(|held| held.slug == **target);
        if let (Some(_), Some(schedule)) = (change.replaces(), place) {
            renamed.push((target.clone(), schedule.id));
        }
    }
    for schedule in &mut schedules {
        if renamed.iter().any(|(_, id)| *id == schedule.id) {
            schedule.slug = None.into();
        }
    }
    for (target, change) in &changes {
        let known = renamed.iter().find(|(slug, _)| slug == target);
        let known = known.filter(|_| change.replaces().is_some());
        let place = schedules.iter().position(|held| match known {
            Some((_, id)) => held.id == *id,
            None => held.slug == **target,
        });
        if let Some(place) = place {
            change.apply(&mut schedules, place, now);
            // The server's table takes no two of a slug, not even for a moment.
            super::schedules::check_slugs(&schedules)?;
        }
    }
    for new in additions.into_iter().filter_map(Change::into_creation) {
        schedules.insert(0, new_schedule(now, deployment, new)?);
    }
    Ok(schedules)
}

fn unprocessable(text: &str) -> Refusal {
    Refusal::detail(422, text)
}
