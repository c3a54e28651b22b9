//! The rules of a kit, and which of them take a request.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::fake::{Call, Reply};
use super::rule::{Delivery, RuleState};

/// The rules of a kit, in the order in which they were made.
#[derive(Default)]
pub(super) struct RuleSet(Mutex<Vec<Arc<Mutex<RuleState>>>>);

/// What the rules say about a request.
pub(super) struct Verdict {
    pub delay: Duration,
    pub delivery: Delivery,
    /// The reply of a rule; without one, the fake answers.
    pub answer: Option<Result<Reply, String>>,
    /// Headers that rules add to the reply.
    pub headers: Vec<(&'static str, String)>,
    /// Whether a rule has taken the request at all.
    pub is_taken: bool,
}

impl RuleSet {
    pub(super) fn add(&self, rule: Arc<Mutex<RuleState>>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(rule);
    }

    fn rules(&self) -> Vec<Arc<Mutex<RuleState>>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Asks the rules.
    pub(super) fn judge(&self, call: &Call<'_>) -> Verdict {
        let mut verdict = Verdict {
            delay: Duration::ZERO,
            delivery: Delivery::Whole,
            answer: None,
            headers: Vec::new(),
            is_taken: false,
        };
        for rule in self.rules() {
            let mut rule = rule.lock().unwrap_or_else(PoisonError::into_inner);
            if rule.left == Some(0) || rule.objection(call).is_some() {
                continue;
            }
            rule.taken += 1;
            rule.left = rule.left.map(|left| left - 1);
            verdict.is_taken = true;
            verdict.delay = verdict.delay.saturating_add(rule.delay);
            if verdict.delivery == Delivery::Whole {
                verdict.delivery = rule.delivery;
            }
            verdict.headers.extend(rule.headers.iter().cloned());
            let ends = matches!(rule.delivery, Delivery::Broken | Delivery::Never);
            if let Some(answer) = &mut rule.answer {
                verdict.answer = Some(answer(call));
            }
            if ends || verdict.answer.is_some() {
                break;
            }
        }
        verdict
    }

    /// Why no rule has taken a request: the nearest one, and what keeps it from fitting.
    pub(super) fn nearest(&self, call: &Call<'_>) -> String {
        let rules = self.rules();
        let mut of_operation = Vec::new();
        let mut others = Vec::new();
        for rule in &rules {
            let rule = rule.lock().unwrap_or_else(PoisonError::into_inner);
            match rule.operation {
                Some(name) if name != call.operation => others.push(name),
                _ => of_operation.push(match (rule.left, rule.objection(call)) {
                    (Some(0), _) => format!("it is used up, after {} requests", rule.taken),
                    (_, Some(objection)) => objection,
                    (_, None) => "it has no answer, and leaves that to others".to_owned(),
                }),
            }
        }
        match (of_operation.as_slice(), others.as_slice()) {
            ([], []) => "there are no rules".to_owned(),
            ([], others) => format!("there are only rules for {}", others.join(", ")),
            ([why], _) => format!("the rule for this operation does not take it: {why}"),
            (several, _) => format!(
                "the {} rules for this operation do not take it: {}",
                several.len(),
                several.join("; ")
            ),
        }
    }
}

impl RuleState {
    /// Why the rule does not take a request.
    fn objection(&self, call: &Call<'_>) -> Option<String> {
        match self.operation {
            Some(name) if name != call.operation => Some(format!("it is for {name}")),
            _ => self
                .conditions
                .iter()
                .find_map(|condition| condition(call).err()),
        }
    }
}
