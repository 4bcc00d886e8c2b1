//! The targets `local` and `http://HOST:PORT`: a platform of ours, over its admin API.
//!
//! - [`there`]: what is there
//! - [`steps`]: the plan, a pure function of what is wanted and what is there
//! - [`action`]: what can be done, and what takes it back; [`hand`]: does it

pub mod action;
pub mod hand;
pub mod steps;
pub mod there;

use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE};
use jiff::Timestamp;
use modelet_cloud::apply::{self, Failed};
use modelet_cloud::plan::Plan;
use modelet_cloud::prices::Month;
use modelet_cloud::target::{Answered, Call, LogLine, Status};
use modelet_cloud::traffic::{Shift, Traffic, rolled_back, shifted};
use modelet_cloud::{CloudError, Deployment, Target};
use modelet_core::FunctionName;
use modelet_core::instance::{HEADER_ERROR, HEADER_VERSION};
use modelet_platform::admin::views::{FunctionView, LogPage};
use serde_json::Value;

use crate::client::Client;
use crate::commands::{invoke, logs};
use crate::report::Report;
use action::Action;
use hand::PlatformHand;
use there::{There, function, look, number, numbers, path, route, told};

/// A platform of ours.
pub struct Platform {
    client: Client,
}

impl Platform {
    /// The one that a client talks to.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Talks to it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A function that is there.
    ///
    /// # Errors
    /// `function-not-found`, or what the platform says.
    pub async fn function(&self, name: &FunctionName) -> Result<FunctionView, Report> {
        self.client.get(&path(name)).await
    }

    /// Gives the calls to others, if they still go as they did when it was looked.
    async fn route(&self, view: &FunctionView, next: &Traffic) -> Result<Traffic, CloudError> {
        let routed = route(&self.client, &view.name, number(next)?, Some(view.traffic)).await?;
        Ok(told(routed))
    }
}

impl Target for Platform {
    type Action = Action;

    fn place(&self) -> String {
        format!("the platform at {}", self.client.url())
    }

    fn region(&self) -> Option<&str> {
        None
    }

    fn policy(_: &Plan<Action>) -> Option<Value> {
        None
    }

    fn month(&self, _: &Deployment, _: u64, _: f64, _: Option<&str>) -> Result<Option<Month>, CloudError> {
        Ok(None)
    }

    async fn plan(&self, wanted: &Deployment) -> Result<Plan<Action>, CloudError> {
        steps::plan(wanted, &look(&self.client, &wanted.name, Some(wanted)).await?)
    }

    async fn remove(&self, name: &FunctionName) -> Result<Plan<Action>, CloudError> {
        steps::removal(name, &look(&self.client, name, None).await?)
    }

    async fn apply(
        &self,
        name: &FunctionName,
        plan: &Plan<Action>,
        wanted: Option<&Deployment>,
        tell: &mut dyn FnMut(&str),
    ) -> Result<(), Failed> {
        // What is taken back is taken back to what is there now, which has to be what the plan was made of.
        let before: There = look(&self.client, name, wanted).await.map_err(Failed::not_begun)?;
        let now = match wanted {
            Some(wanted) => steps::plan(wanted, &before),
            None => steps::removal(name, &before),
        };
        apply::is_still(name, plan, now)?;
        apply::carry_out(plan, &mut PlatformHand::new(&self.client, name, wanted, &before), tell).await
    }

    async fn status(&self, name: &FunctionName) -> Result<Status, CloudError> {
        let view = function(&self.client, name).await?;
        let settings = &view.settings;
        let state = match view.instances.len() {
            0 => "no instance runs".to_owned(),
            1 => "1 instance runs".to_owned(),
            many => format!("{many} instances run"),
        };
        Ok(Status {
            name: name.clone(),
            resource: format!("{}{}", self.client.url(), path(name)),
            state,
            traffic: Some(told(view.traffic)),
            versions: numbers(&view),
            artifact: view.versions.last().map(|version| version.sha256.clone()),
            url: Some(view.url.clone()),
            auth: None,
            settings: vec![
                ("memory".to_owned(), format!("{} MiB", settings.memory_mib)),
                ("time-out".to_owned(), format!("{} ms", settings.request_timeout_ms)),
                ("/tmp".to_owned(), format!("{} MiB", settings.tmp_mib)),
                ("instances".to_owned(), format!("{} to {}", settings.min_instances, settings.max_instances)),
            ],
        })
    }

    async fn logs(
        &self,
        name: &FunctionName,
        since_ms: i64,
        most: usize,
    ) -> Result<Vec<LogLine>, CloudError> {
        let within_ms = Timestamp::now().as_millisecond().saturating_sub(since_ms);
        let path = format!("{}/logs?limit={most}&within_ms={within_ms}", path(name));
        let page: LogPage = self.client.get(&path).await?;
        Ok(page.rows.iter().map(logs::line).collect())
    }

    async fn invoke(&self, name: &FunctionName, call: Call) -> Result<Answered, CloudError> {
        let mut request = Request::post(invoke::path(name, call.version.as_deref()));
        for (header, kind) in [(CONTENT_TYPE, call.content_type), (ACCEPT, call.accept)] {
            if let Some(kind) = kind {
                request = request.header(header, kind);
            }
        }
        let answer = self.client.call(request, call.body).await?;
        let (status, header) = (answer.status(), |name: &str| answer.headers().get(name)?.to_str().ok());
        if !status.is_success() && header(HEADER_ERROR).is_some() {
            return Err(Report::from_answer(status.as_u16(), answer.body()).into());
        }
        Ok(Answered {
            version: header(HEADER_VERSION).map(str::to_owned),
            failed: (!status.is_success()).then(|| status.to_string()),
            body: answer.body().clone(),
        })
    }

    async fn traffic(&self, name: &FunctionName, shift: &Shift) -> Result<Traffic, CloudError> {
        let view = function(&self.client, name).await?;
        let next = shifted(Some(&told(view.traffic)), &numbers(&view), shift)?;
        self.route(&view, &next).await
    }

    async fn rollback(&self, name: &FunctionName) -> Result<Traffic, CloudError> {
        let view = function(&self.client, name).await?;
        let next = rolled_back(Some(&told(view.traffic)), &numbers(&view))?;
        self.route(&view, &next).await
    }
}
