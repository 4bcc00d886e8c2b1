//! A plan: what has to be done, as data. It is made by a pure function, and carried out in [one place](crate::apply).

use std::collections::BTreeSet;

use serde::Serialize;

/// What a step does to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is made.
    Create,
    /// It becomes another.
    Change,
    /// It is taken away.
    Delete,
}

impl Change {
    /// The sign of a plan's line.
    pub const fn sign(self) -> char {
        match self {
            Self::Create => '+',
            Self::Change => '~',
            Self::Delete => '-',
        }
    }
}

/// What a call needs to be allowed: an action on a resource, as policies of AWS name them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Permission {
    /// The resource, or a pattern.
    pub resource: String,
    /// The action, such as `lambda:CreateFunction`.
    pub action: String,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(bound = "")]
pub struct Step<A> {
    /// What it does to a thing.
    pub change: Change,
    /// The thing.
    pub what: String,
    /// Why, in words.
    pub why: String,
    /// What it needs to be allowed.
    pub permissions: Vec<Permission>,
    /// What is done.
    #[serde(skip)]
    pub action: A,
}

/// What has to be done, in its order; empty when all is as it should be.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(bound = "")]
pub struct Plan<A> {
    /// The steps.
    pub steps: Vec<Step<A>>,
    /// What one should know before one says yes.
    pub notes: Vec<String>,
    /// What looking at what is there needs to be allowed.
    pub reads: Vec<Permission>,
}

impl<A> Plan<A> {
    /// True when all is as it should be.
    pub const fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// All that it needs to be allowed, sorted, each once.
    pub fn permissions(&self) -> BTreeSet<Permission> {
        self.steps.iter().flat_map(|step| &step.permissions).chain(&self.reads).cloned().collect()
    }
}

/// A plan that is being written. What a step needs to be allowed follows from its action.
pub struct Draft<'a, A, N> {
    /// What the things are called.
    pub names: &'a N,
    /// The steps until now.
    pub steps: Vec<Step<A>>,
    needs: fn(&A, &N) -> Vec<Permission>,
}

impl<'a, A, N> Draft<'a, A, N> {
    /// An empty one.
    pub fn new(names: &'a N, needs: fn(&A, &N) -> Vec<Permission>) -> Self {
        Self { names, steps: Vec::new(), needs }
    }

    fn step(&mut self, change: Change, what: impl Into<String>, why: impl Into<String>, action: A) {
        let permissions = (self.needs)(&action, self.names);
        self.steps.push(Step { change, what: what.into(), why: why.into(), permissions, action });
    }

    /// Something is made.
    pub fn create(&mut self, what: impl Into<String>, why: impl Into<String>, action: A) {
        self.step(Change::Create, what, why, action);
    }

    /// Something becomes another.
    pub fn change(&mut self, what: impl Into<String>, why: impl Into<String>, action: A) {
        self.step(Change::Change, what, why, action);
    }

    /// Something is taken away.
    pub fn delete(&mut self, what: impl Into<String>, why: impl Into<String>, action: A) {
        self.step(Change::Delete, what, why, action);
    }
}
