//! Automations that are as they are wanted; one that is so already keeps its trigger, and what that has counted.

use super::generated::Automations;
use crate::error::Result;
use crate::resources::ensure::{self, Changes, Ensured, Matching, Plan, Wanted, compare};
use crate::types::{Automation, AutomationCreate, AutomationUpdate};

impl Automations<'_> {
    /// Creates an automation, changes the one of this name where it differs, or leaves it alone:
    /// `POST /automations/filter`, then `POST /automations/`, or `PUT /automations/{id}` and `POST /automations/filter` again,
    /// if need be. If several have the name, the first in the server's order counts.
    ///
    /// Fields that are not set are left as they are. A change of any field gives the trigger a new id, and what it has counted
    /// so far is forgotten; an automation that is equal is not touched.
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::ErrorKind::Validation) for values that the server rejects, or any
    /// [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::automations::{Automation, actions, event};
    ///
    /// let notify = Automation::named("notify")
    ///     .when(event("prefect.flow-run.Failed"))
    ///     .then(actions::do_nothing())
    ///     .build()?;
    /// let notify = client.automations().ensure(&notify).await?;
    /// println!("{}", notify.id);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ensure(self, automation: &AutomationCreate) -> Result<Ensured<Automation>> {
        ensure::ensure(&WantedAutomation {
            automations: self,
            automation,
        })
        .await
    }

    /// Returns what [`ensure`](Self::ensure) would do, and changes nothing: `POST /automations/filter`.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    pub async fn plan(self, automation: &AutomationCreate) -> Result<Plan> {
        ensure::plan(&WantedAutomation {
            automations: self,
            automation,
        })
        .await
    }
}

/// An automation that is wanted.
struct WantedAutomation<'a> {
    automations: Automations<'a>,
    automation: &'a AutomationCreate,
}

impl Wanted for WantedAutomation<'_> {
    type Found = Automation;

    fn title(&self) -> String {
        format!("the automation {:?}", self.automation.name)
    }

    async fn read(&self) -> Result<Option<Self::Found>> {
        self.automations
            .get_by_name_opt(&self.automation.name)
            .await
    }

    #[inline]
    fn differences(&self, found: &Self::Found) -> Result<Changes> {
        compare(self.automation, found, |field| match field {
            // No reply has the owner.
            "name" | "owner_resource" => None,
            "trigger" | "actions" | "actions_on_trigger" | "actions_on_resolve" => {
                Some(Matching::UpToDefaults)
            }
            _ => Some(Matching::Exact),
        })
    }

    async fn create(&self) -> Result<()> {
        self.automations.create(self.automation).await.map(drop)
    }

    async fn update(&self, found: &Self::Found, _: &Changes) -> Result<()> {
        let wanted = self.automation.clone();
        let mut update = AutomationUpdate::new(wanted.name, wanted.trigger, wanted.actions);
        update.actions_on_resolve = wanted.actions_on_resolve;
        update.actions_on_trigger = wanted.actions_on_trigger;
        update.description = wanted.description;
        update.enabled = wanted.enabled;
        update.tags = wanted.tags;
        self.automations.update(found.id, &update).await
    }
}
