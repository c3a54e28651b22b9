//! `Variables`: named JSON values.
//!
//! ```no_run
//! # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
//! client.variables().set("rows", 5000).await?;
//! let rows: Option<u32> = client.variables().value("rows").await?;
//! assert_eq!(rows, Some(5000));
//! # Ok(())
//! # }
//! ```

generated!("variables");

use serde::de::DeserializeOwned;

use super::ensure::{self, Changes, Ensured, Matching, Plan, Wanted, compare, update_or_create};
pub use generated::Variables;

use crate::error::{Error, ErrorKind, Result};
use crate::types::{Json, Variable, VariableCreate, VariableUpdate};

impl Variables<'_> {
    /// The value of a variable, as any type that serde can read; `None` when there is no such
    /// variable: `GET /variables/name/{name}`.
    ///
    /// # Errors
    ///
    /// [`Decode`](crate::ErrorKind::Decode) when the value is not of this type,
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for a name that cannot be sent in a URL, or any
    /// [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// let rows: u32 = client.variables().value("rows").await?.unwrap_or(1000);
    /// println!("{rows} rows at a time");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn value<T: DeserializeOwned>(self, name: &str) -> Result<Option<T>> {
        let Some(variable) = self.get_by_name_opt(name).await? else {
            return Ok(None);
        };
        // serde's error would quote the value, which may be a secret.
        let value = variable.value.parse().map_err(|_| {
            let kind = variable.value.kind();
            let message = format!("the variable {name:?} is {kind}, which is not of this type");
            Error::new(ErrorKind::Decode, message)
        })?;
        Ok(Some(value))
    }

    /// Sets the value of a variable, or creates the variable if there is none of this name:
    /// `PATCH /variables/name/{name}`, else `POST /variables/`. Its tags are left as they are.
    ///
    /// The value is any JSON of up to 5,000 characters, including `null`. Names consist of lower-case
    /// letters, digits, `-` and `_`.
    ///
    /// # Errors
    ///
    /// [`Validation`](crate::ErrorKind::Validation) for a name or value that the server rejects,
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for a name that cannot be sent in a URL, or any
    /// [call error](crate::Error#call-errors).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use serde_json::json;
    ///
    /// client.variables().set("rows", 5000).await?;
    /// client.variables().set("regions", json!(["eu", "us"])).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn set(self, name: &str, value: impl Into<Json>) -> Result<()> {
        let value = value.into();
        let update = VariableUpdate::new().value(value.clone());
        let create = VariableCreate::new(name, value);
        update_or_create(
            || self.update_by_name(name, &update),
            || self.create(&create),
        )
        .await
    }

    /// Creates the variable of this name, changes it where its value or tags differ, or leaves it alone:
    /// `GET /variables/name/{name}`, then `POST /variables/` or `PATCH /variables/name/{name}` and `GET` again, if need be.
    ///
    /// # Errors
    ///
    /// The same as for [`set`](Self::set).
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::types::VariableCreate;
    ///
    /// let rows = VariableCreate::new("rows", 5000).tags(["etl"]);
    /// if client.variables().ensure(&rows).await?.is_changed() {
    ///     println!("it was different");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ensure(self, variable: &VariableCreate) -> Result<Ensured<Variable>> {
        ensure::ensure(&WantedVariable {
            variables: self,
            variable,
        })
        .await
    }

    /// Returns what [`ensure`](Self::ensure) would do, and changes nothing: `GET /variables/name/{name}`.
    ///
    /// # Errors
    ///
    /// Any [call error](crate::Error#call-errors).
    pub async fn plan(self, variable: &VariableCreate) -> Result<Plan> {
        ensure::plan(&WantedVariable {
            variables: self,
            variable,
        })
        .await
    }
}

/// A variable that is wanted.
struct WantedVariable<'a> {
    variables: Variables<'a>,
    variable: &'a VariableCreate,
}

impl Wanted for WantedVariable<'_> {
    type Found = Variable;

    fn title(&self) -> String {
        format!("the variable {:?}", self.variable.name)
    }

    async fn read(&self) -> Result<Option<Self::Found>> {
        self.variables.get_by_name_opt(&self.variable.name).await
    }

    #[inline]
    fn differences(&self, found: &Self::Found) -> Result<Changes> {
        let mut changes = compare(self.variable, found, |field| {
            (field != "name").then_some(Matching::Exact)
        })?;
        changes.hide("value");
        Ok(changes)
    }

    async fn create(&self) -> Result<()> {
        self.variables.create(self.variable).await.map(drop)
    }

    async fn update(&self, _: &Self::Found, changes: &Changes) -> Result<()> {
        let update: VariableUpdate = changes.update()?;
        self.variables
            .update_by_name(&self.variable.name, &update)
            .await
    }
}
