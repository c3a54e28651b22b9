//! `Artifacts`: all artifacts, and the collection of the latest of each key.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::super::table::Table;
use crate::types::{Artifact, ArtifactCollection};

/// All artifacts, and the collection of the latest of each key.
#[derive(Default)]
pub(crate) struct Artifacts {
    /// The latest ones of a key are the last ones of it here.
    pub rows: Table<Artifact>,
    /// For each key one row, with an id of its own and the values of the latest artifact.
    pub collections: Table<ArtifactCollection>,
    keys: HashMap<String, Uuid>,
    /// Those that the server has made of the data of a state.
    pub(super) results: HashSet<Uuid>,
}

impl Artifacts {
    pub(crate) fn get(&self, id: Uuid) -> Option<&Artifact> {
        self.rows.get(id)
    }

    pub(super) fn collection(&self, key: &str) -> Option<&ArtifactCollection> {
        self.collections.get(*self.keys.get(key)?)
    }

    /// The collection in which this artifact is the latest of its key.
    pub(super) fn latest_in(&mut self, artifact: Uuid) -> Option<&mut ArtifactCollection> {
        let key = self.rows.get(artifact)?.key.as_deref()?;
        let collection = self.collections.get_mut(*self.keys.get(key)?)?;
        (collection.latest_id == artifact).then_some(collection)
    }

    /// Adds a collection, or replaces the one of its key.
    pub(super) fn set_collection(&mut self, collection: ArtifactCollection) {
        self.keys.insert(collection.key.clone(), collection.id);
        self.collections.insert(collection.id, collection);
    }

    pub(super) fn remove_collection(&mut self, key: &str) -> Option<ArtifactCollection> {
        let id = self.keys.remove(key)?;
        self.collections.remove(id)
    }
}
