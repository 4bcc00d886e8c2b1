//! Works on what was accepted: begins attempts as they are due, and settles what comes of them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response};
use modelet_core::{Code, FunctionName, PlatformError, Qualifier, Settings};
use modelet_protocol::ProtocolName;
use tokio::task::JoinSet;

use crate::gateway::Gateway;
use crate::gateway::asynchronous::queue::Due;
use crate::gateway::body::Held;
use crate::gateway::call::refused;
use crate::gateway::record::CallRecord;
use crate::gateway::sent::Delivery;
use crate::store::accepted::Asked;

/// How soon it is looked again whether a function still has calls in line.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Old answers are removed this often.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

impl Gateway {
    /// Works on what was accepted, until [`Asynchronous::close`](super::Asynchronous::close); returns when every attempt is over.
    pub async fn work_off(self: Arc<Self>) {
        let mut attempts = JoinSet::new();
        tokio::spawn(sweep(Arc::downgrade(&self)));
        while !self.asynchronous.closed.load(Ordering::Relaxed) {
            while let Some(due) = self.take() {
                attempts.spawn(self.clone().attempt(due));
            }
            tokio::select! {
                () = self.asynchronous.changed.notified() => {}
                Some(_) = attempts.join_next() => {}
                () = self.until_due() => {}
            }
        }
        while attempts.join_next().await.is_some() {}
    }

    /// The next one; none of a function that has calls in line, whose clients wait.
    fn take(&self) -> Option<Due> {
        let limit = |function: &FunctionName| match self.dispatch.waiting(function) {
            0 => self.async_concurrency(function),
            _ => 0,
        };
        self.asynchronous.queue().take(self.now_ms(), limit)
    }

    async fn until_due(&self) {
        let due_ms = self.asynchronous.queue().next_due_ms(|function| self.async_concurrency(function));
        match due_ms.map(|due_ms| u64::try_from(due_ms - self.now_ms()).unwrap_or(0)) {
            // One that is due and was not taken waits for others' calls to leave their line.
            Some(wait_ms) => tokio::time::sleep(Duration::from_millis(wait_ms).max(LOOK_AGAIN)).await,
            None => std::future::pending().await,
        }
    }

    async fn attempt(self: Arc<Self>, mut due: Due) {
        let answer = match self.asynchronous.accepted.asked(due.seq).await {
            Ok(Some(asked)) => {
                let (gateway, attempt) = (self.clone(), due.progress.attempts + 1);
                let answer = tokio::spawn(async move { gateway.perform(asked, attempt).await }).await;
                answer.map_err(|error| PlatformError::new(Code::Internal, error.to_string()))
            }
            // Its function was deleted.
            Ok(None) => {
                self.asynchronous.begun(&due.function);
                return self.asynchronous.queue().over(due, None);
            }
            Err(error) => Err(error),
        };
        let answer =
            answer.unwrap_or_else(|error| modelet_protocol::error(ProtocolName::Fn, &error.into(), None));
        // Also of one that did not come so far.
        self.asynchronous.begun(&due.function);
        let limits = self.settings(&due.function);
        let again_at_ms = self.asynchronous.settle(&mut due, answer, &limits, self.now_ms()).await;
        self.asynchronous.queue().over(due, again_at_ms);
    }

    /// One attempt: the walk of any other call, from the body on.
    async fn perform(self: Arc<Self>, asked: Asked, attempt: u32) -> Response<Bytes> {
        let target = asked.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let route = match modelet_protocol::route(&asked.method, target) {
            Some(Ok(route)) => route,
            Some(Err((protocol, error))) => return refused(protocol, error, &asked.id),
            None => {
                let error = PlatformError::new(Code::RouteNotFound, format!("{} leads nowhere", asked.uri));
                return refused(ProtocolName::Fn, error, &asked.id);
            }
        };
        let held = Held::within(asked.body, &self.buffer);
        let (entry, held) = match self.admit(&route, &asked.id).await.and_then(|entry| Ok((entry, held?))) {
            Ok(admitted) => admitted,
            Err(error) => return refused(route.protocol, error, &asked.id),
        };
        let mut record = CallRecord::start(self.dispatch.clone(), asked.id, &entry, route.protocol.as_str());
        record.attempt(attempt);
        record.received(held.bytes.len());
        let mut request = Request::new(held);
        (*request.method_mut(), *request.uri_mut()) = (asked.method, asked.uri);
        *request.headers_mut() = asked.headers;
        let limit_bytes = entry.card.settings.async_response_limit_bytes();
        let delivery = Delivery { limit_bytes, early: None, socket: None };
        let asynchronous = self.asynchronous.clone();
        let begun = || asynchronous.begun(&entry.card.name);
        let answer = self.walk(route.protocol, &entry, request, record, delivery, begun).await;
        answer.map(|held| held.bytes)
    }

    fn settings(&self, function: &FunctionName) -> Settings {
        let live = self.catalog.resolve(function, Qualifier::Live);
        live.map(|entry| entry.card.settings.clone()).unwrap_or_default()
    }

    fn async_concurrency(&self, function: &FunctionName) -> usize {
        usize::try_from(self.settings(function).async_concurrency).unwrap_or(usize::MAX)
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.dispatch.shared().clock.unix_ms()
    }
}

/// Removes old answers, until the platform ends.
async fn sweep(gateway: Weak<Gateway>) {
    let mut every = tokio::time::interval(SWEEP_EVERY);
    loop {
        every.tick().await;
        let Some(gateway) = gateway.upgrade() else { return };
        let swept = gateway.asynchronous.accepted.sweep(gateway.now_ms()).await;
        swept.unwrap_or_else(|error| eprintln!("{error}"));
    }
}
