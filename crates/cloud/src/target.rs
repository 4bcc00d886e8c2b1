//! A target: where an artifact is deployed, here or elsewhere.

use bytes::Bytes;
use modelet_core::{ArtifactCard, FunctionName, Processor};
use serde::Serialize;
use serde_json::Value;

use crate::apply::Failed;
use crate::aws::logs::Event;
use crate::delivery::Delivery;
use crate::error::CloudError;
use crate::plan::Plan;
use crate::prices::Month;
use crate::traffic::{Shift, Traffic};

/// The media type of what nothing is said of.
const JSON: &str = "application/json";

/// What is to be there.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The function's name there.
    pub name: FunctionName,
    /// What the function is.
    pub card: ArtifactCard,
    /// What it is made for.
    pub processor: Processor,
    /// What the target gets.
    pub delivery: Delivery,
    /// The part of the calls that a new version gets at first, percent; `None`: all.
    pub canary_percent: Option<u8>,
}

/// Where deployments go. Truth is what the target says of itself, by the tags that modelet sets: there is no file of states.
///
/// To add one: a file with what it wants and what is there, a pure function from the two to a [`Plan`], and a
/// [`Hand`](crate::apply::Hand) that does each of its actions and knows what takes it back.
#[expect(async_fn_in_trait, reason = "the command line awaits one target on one thread")]
pub trait Target {
    /// What a step of a plan does here.
    type Action;

    /// Where it is, for people: the account and the region of a cloud, the address of a platform.
    fn place(&self) -> String;

    /// The region, where there are some.
    fn region(&self) -> Option<&str>;

    /// The permissions that a plan needs, as a policy of the cloud's; `None` where nobody gives permissions.
    fn policy(plan: &Plan<Self::Action>) -> Option<Value>;

    /// What a month of so many calls of so many milliseconds costs, by a card of prices or by modelet's own; `None` where nothing
    /// is paid, or the card has no price of something that is wanted.
    fn month(
        &self,
        wanted: &Deployment,
        calls: u64,
        ms_per_call: f64,
        prices: Option<&str>,
    ) -> Result<Option<Month>, CloudError>;

    /// What has to be done so that a deployment is there; nothing, when it is.
    async fn plan(&self, wanted: &Deployment) -> Result<Plan<Self::Action>, CloudError>;

    /// What has to be done so that nothing of a function is there any more that modelet made.
    async fn remove(&self, name: &FunctionName) -> Result<Plan<Self::Action>, CloudError>;

    /// Carries a plan out. What fails is undone, as far as this plan made it.
    async fn apply(
        &self,
        name: &FunctionName,
        plan: &Plan<Self::Action>,
        wanted: Option<&Deployment>,
        tell: &mut dyn FnMut(&str),
    ) -> Result<(), Failed>;

    /// What is there.
    async fn status(&self, name: &FunctionName) -> Result<Status, CloudError>;

    /// The last records of the log since a moment (milliseconds since 1970), the oldest first.
    async fn logs(&self, name: &FunctionName, since_ms: i64, most: usize)
    -> Result<Vec<LogLine>, CloudError>;

    /// Calls a function, or one of its versions.
    async fn invoke(&self, name: &FunctionName, call: Call) -> Result<Answered, CloudError>;

    /// Changes who gets the calls.
    async fn traffic(&self, name: &FunctionName, shift: &Shift) -> Result<Traffic, CloudError>;

    /// Gives all calls back to the version that had them before.
    async fn rollback(&self, name: &FunctionName) -> Result<Traffic, CloudError>;
}

/// What is there of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Its name.
    pub name: FunctionName,
    /// Its name there, in full: an ARN, or an address.
    pub resource: String,
    /// What the target says of it, such as `Active`.
    pub state: String,
    /// Who gets the calls; absent when nothing is live yet.
    pub traffic: Option<Traffic>,
    /// Its versions, the oldest first.
    pub versions: Vec<String>,
    /// The digest of the newest version's artifact, whoever gets the calls.
    pub artifact: Option<String>,
    /// Where it is called, where it has an address.
    pub url: Option<String>,
    /// Who may call that.
    pub auth: Option<String>,
    /// Its settings, for people.
    pub settings: Vec<(String, String)>,
}

/// One record of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// Its own, by which it is known again.
    pub id: String,
    /// The moment, milliseconds since 1970.
    pub at_ms: i64,
    /// The instance that wrote it.
    pub instance: String,
    /// What it wrote.
    pub text: String,
}

impl From<Event> for LogLine {
    fn from(event: Event) -> Self {
        Self {
            id: event.event_id,
            at_ms: event.timestamp,
            instance: event.log_stream_name,
            text: event.message,
        }
    }
}

/// A call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Call {
    /// The version that is to answer; `None` for whoever gets the calls.
    pub version: Option<String>,
    /// What the function gets.
    pub body: Bytes,
    /// What that is, a media type; JSON where nothing is said.
    pub content_type: Option<String>,
    /// What the answer is to be, a media type; JSON where nothing is said.
    pub accept: Option<String>,
}

impl Call {
    /// What the body is.
    pub fn content_type(&self) -> &str {
        self.content_type.as_deref().unwrap_or(JSON)
    }

    /// What the answer is to be.
    pub fn accept(&self) -> &str {
        self.accept.as_deref().unwrap_or(JSON)
    }

    /// A media type of either that is another than JSON.
    pub fn other_than_json(&self) -> Option<&str> {
        let is_json =
            |kind: &str| kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(JSON);
        [self.content_type(), self.accept()].into_iter().find(|kind| !is_json(kind))
    }
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The version that answered.
    pub version: Option<String>,
    /// What the cloud calls the function's own failure; `None` when it answered.
    pub failed: Option<String>,
    /// The answer.
    pub body: Bytes,
}
