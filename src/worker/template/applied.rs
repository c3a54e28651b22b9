//! `Applied` and `Filled`: job configurations that still name block documents, and variables, of the server.

use std::collections::{BTreeMap, BTreeSet};

use super::blocks::{self, BlockRef};
use super::error::TemplateError;
use super::place::Place;
use super::value::{Object, Value};
use super::variables;

/// A job configuration that needs block documents.
pub(crate) struct Applied(Value);

impl Applied {
    pub(super) fn new(configuration: Object) -> Self {
        Self(Value::Object(configuration))
    }

    /// The block documents that are to be read.
    pub(crate) fn blocks(&self) -> BTreeSet<BlockRef> {
        let mut found = BTreeSet::new();
        blocks::collect(&self.0, &mut found);
        found
    }

    /// Puts the data of block documents in. One that is not among them is one that the server does not have.
    pub(crate) fn put_blocks(
        self,
        data: &BTreeMap<BlockRef, Value>,
    ) -> Result<Filled, TemplateError> {
        let place = Place::Root("job_configuration");
        blocks::put(self.0, data, place).map(Filled)
    }
}

/// A job configuration that needs variables.
pub(crate) struct Filled(Value);

impl Filled {
    /// The names of the variables that are to be read.
    pub(crate) fn variables(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        variables::collect(&self.0, &mut found);
        found
    }

    /// Puts the values of variables in. One that is not among them is one that the server does not have: an empty text.
    pub(crate) fn put_variables(self, values: &BTreeMap<String, Value>) -> Value {
        variables::put(self.0, values)
    }
}
