//! Asynchronous invocations (`Prefer: respond-async`, RFC 7240): accepted with 202 once they are on the disk, worked on when an
//! instance is there, tried again when they fail; the answer lies under the invocation's id for some time. What was worked on
//! when the platform was killed is tried once more: a function may get the same invocation twice, and never not at all.
//!
//! - [`queue`]: which is next
//! - [`retry`]: what becomes of one after an attempt
//! - [`prefer`]: what a client says it prefers

pub mod prefer;
pub mod queue;
pub mod retry;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, EXPECT, LOCATION, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use modelet_core::instance::{HEADER_ERROR, HEADER_INVOCATION};
use modelet_core::{Code, Failure, FunctionName, InvocationId, PlatformError, Qualifier, Settings};
use modelet_protocol::{ProtocolName, Route};
use serde_json::json;
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinSet;

use crate::gateway::Gateway;
use crate::gateway::body::{self, BodyLimit, Held};
use crate::gateway::call::{make_end_to_end, new_id, refused, set_header};
use crate::gateway::record::CallRecord;
use crate::store::accepted::{Accepted, Asked, Ended, Found};
use prefer::{PREFER, PREFERENCE_APPLIED, Preference};
use queue::{Due, Queue};
use retry::{Attempt, Next, Progress};

/// A client that waits for an answer waits this long at most.
const WAIT_LIMIT: Duration = Duration::from_secs(60);
/// Ends that a client which waits may be behind before it looks for itself.
const ENDS_HELD: usize = 1_024;
/// Old answers are removed this often.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// When an answer cannot be kept (a full disk), the invocation is tried again after this.
const KEEP_RETRY_MS: i64 = 60_000;

/// Those that were accepted, and who is to be told.
pub struct Asynchronous {
    accepted: Accepted,
    limit_bytes: u64,
    queue: Mutex<Queue>,
    /// There may be something to work on.
    changed: Notify,
    /// The place in the store of each that ends.
    ends: broadcast::Sender<i64>,
    closed: AtomicBool,
}

impl Asynchronous {
    /// With what an earlier run has left. `limit_bytes`: of everything that is kept, when no more is accepted.
    pub fn open(accepted: Accepted, limit_bytes: u64) -> Result<Self, PlatformError> {
        let mut queue = Queue::default();
        for left in accepted.waiting()? {
            let (accepted_at_ms, attempts) = (left.accepted_at_ms, left.attempts);
            let progress = Progress { accepted_at_ms, attempts };
            queue.wait(Due { function: left.function, seq: left.seq, progress }, left.due_at_ms);
        }
        Ok(Self {
            accepted,
            limit_bytes,
            queue: Mutex::new(queue),
            changed: Notify::new(),
            ends: broadcast::channel(ENDS_HELD).0,
            closed: AtomicBool::new(false),
        })
    }

    /// How many of each function have not ended.
    pub fn lengths(&self) -> Vec<(FunctionName, usize)> {
        self.queue().lengths()
    }

    /// A function was deleted, and with it what waited.
    pub fn forget(&self, function: &FunctionName) {
        self.queue().forget(function);
    }

    /// No attempt is begun any more. What is accepted from now on waits for the next start of the platform.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.changed.notify_one();
    }

    /// Keeps one. To be run to its end, whether or not the client waits.
    async fn accept(&self, asked: Asked, limits: &Settings, now_ms: i64) -> Result<(), PlatformError> {
        if self.accepted.kept_bytes() >= self.limit_bytes {
            let message = "asynchronous invocations and their answers take as much as --async-mib allows";
            return Err(PlatformError::new(Code::Overloaded, message)
                .hint("try again when some have ended, or raise --async-mib of modelet up")
                .retry_after_s(SWEEP_EVERY.as_secs()));
        }
        let function = asked.function.clone();
        let limit = usize::try_from(limits.async_queue_limit).unwrap_or(usize::MAX);
        if !self.queue().admit(&function, limit) {
            let message = format!(
                "{limit} asynchronous invocations of {function} have not ended, as many as async_queue_limit allows"
            );
            return Err(PlatformError::new(Code::QueueFull, message).retry_after_s(1));
        }
        match self.accepted.insert(asked, now_ms).await {
            Ok(seq) => {
                let progress = Progress { accepted_at_ms: now_ms, attempts: 0 };
                self.queue().arrived(Due { function, seq, progress }, now_ms);
                self.changed.notify_one();
                Ok(())
            }
            Err(error) => {
                self.queue().withdrawn(&function);
                Err(error)
            }
        }
    }

    /// Writes down what came of an attempt, and gives the time of the next one.
    async fn settle(
        &self,
        due: &mut Due,
        answer: Response<Bytes>,
        limits: &Settings,
        now_ms: i64,
    ) -> Option<i64> {
        let code = answer.headers().get(HEADER_ERROR).and_then(|code| code.to_str().ok()?.parse().ok());
        let attempt = Attempt::of(answer.status().as_u16(), code);
        let pace = self.queue().note(&due.function, attempt, now_ms);
        let attempts = due.progress.attempts;
        let written = match due.progress.after(attempt, &pace, limits, now_ms) {
            Next::Again { due_at_ms } => {
                // What was not begun leaves no mark: after a start of the platform it is due at once.
                if due.progress.attempts > attempts {
                    let noted = self.accepted.again(due.seq, due.progress.attempts, due_at_ms).await;
                    noted.unwrap_or_else(|error| eprintln!("an attempt was not noted: {error}"));
                }
                return Some(due_at_ms);
            }
            Next::End => {
                let expires_at_ms =
                    now_ms.saturating_add(i64::try_from(limits.async_result_ms).unwrap_or(i64::MAX));
                let attempts = due.progress.attempts;
                self.accepted.end(Ended { seq: due.seq, attempts, answer, expires_at_ms }).await
            }
        };
        match written {
            Ok(()) => {
                // Nobody may wait.
                let _ = self.ends.send(due.seq);
                None
            }
            Err(error) => {
                eprintln!("an answer was not kept, and its invocation is tried again: {error}");
                Some(now_ms + KEEP_RETRY_MS)
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The door.
impl Gateway {
    /// Accepts an invocation: 202 with its id, and where its answer will be.
    pub(super) async fn accept(&self, route: Route, request: Request<Incoming>) -> Response<Body> {
        let id = new_id();
        let mut response = match self.keep(&route, &id, request).await {
            Ok(response) => response,
            Err(failure) => modelet_protocol::error(route.protocol, &failure, Some(&id)),
        };
        set_header(response.headers_mut(), HEADER_INVOCATION, &id.0);
        response.map(Body::from)
    }

    async fn keep(
        &self,
        route: &Route,
        id: &InvocationId,
        request: Request<Incoming>,
    ) -> Result<Response<Bytes>, Failure> {
        let name = named(route)?.clone();
        let entry = self.catalog.resolve(&name, route.qualifier)?;
        let (mut head, incoming) = request.into_parts();
        let limit = BodyLimit::asynchronous(&entry.card.settings);
        let expects_continue = head.headers.contains_key(EXPECT);
        let held = body::read(incoming, limit, &self.buffer, self.body_timeout, expects_continue).await?;
        make_end_to_end(&mut head.headers);
        // What says who the client is is not for the disk.
        for header in [PREFER, AUTHORIZATION, COOKIE] {
            head.headers.remove(header);
        }
        let asked = Asked {
            id: id.clone(),
            function: name.clone(),
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            body: held.bytes.clone(),
        };
        let (asynchronous, now_ms) = (self.asynchronous.clone(), self.now_ms());
        let keeping =
            tokio::spawn(async move { asynchronous.accept(asked, &entry.card.settings, now_ms).await });
        keeping.await.map_err(|error| PlatformError::new(Code::Internal, error.to_string()))??;
        let location = format!("/fn/{name}/invocations/{id}");
        let mut response = pending(&json!({ "invocation": id, "result": location }));
        set_header(response.headers_mut(), LOCATION.as_str(), &location);
        set_header(response.headers_mut(), PREFERENCE_APPLIED, "respond-async");
        Ok(response)
    }

    /// The answer of an invocation, as a client that waited for it would have got it; 202 as long as there is none.
    pub(super) async fn result(
        &self,
        route: &Route,
        preference: Preference,
    ) -> Result<Response<Bytes>, Failure> {
        let (name, id) = (named(route)?, route.invocation.as_ref());
        self.catalog.resolve(name, Qualifier::Live)?;
        let id = id.ok_or_else(|| PlatformError::new(Code::RouteNotFound, "the path names no invocation"))?;
        let deadline = tokio::time::Instant::now() + preference.wait.min(WAIT_LIMIT);
        loop {
            // Before the look, so that no end comes between.
            let mut ends = self.asynchronous.ends.subscribe();
            let waiting = match self.asynchronous.accepted.find(name, id, self.now_ms()).await? {
                Some(Found::Ended(answer)) => return Ok(answer),
                Some(Found::Waiting(waiting)) => waiting,
                None => return Err(unknown(name, id).into()),
            };
            let ended = async { while ends.recv().await.is_ok_and(|seq| seq != waiting.seq) {} };
            if tokio::time::timeout_at(deadline, ended).await.is_err() {
                let (attempts, accepted_at_ms) = (waiting.attempts, waiting.accepted_at_ms);
                let state =
                    json!({ "invocation": id, "attempts": attempts, "accepted_at_ms": accepted_at_ms });
                return Ok(pending(&state));
            }
        }
    }
}

/// The work.
impl Gateway {
    /// Works on what was accepted, until [`Asynchronous::close`]; returns when every attempt is over.
    pub async fn work_off(self: Arc<Self>) {
        let mut attempts = JoinSet::new();
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        while !self.asynchronous.closed.load(Ordering::Relaxed) {
            while let Some(due) = self.take() {
                attempts.spawn(self.clone().attempt(due));
            }
            tokio::select! {
                () = self.asynchronous.changed.notified() => {}
                Some(_) = attempts.join_next() => {}
                () = self.until_due() => {}
                _ = sweep.tick() => {
                    let swept = self.asynchronous.accepted.sweep(self.now_ms()).await;
                    swept.unwrap_or_else(|error| eprintln!("{error}"));
                }
            }
        }
        while attempts.join_next().await.is_some() {}
    }

    fn take(&self) -> Option<Due> {
        self.asynchronous.queue().take(self.now_ms(), |function| self.async_concurrency(function))
    }

    async fn until_due(&self) {
        let due_ms = self.asynchronous.queue().next_due_ms(|function| self.async_concurrency(function));
        match due_ms.map(|due_ms| u64::try_from(due_ms - self.now_ms()).unwrap_or(0)) {
            Some(wait_ms) => tokio::time::sleep(Duration::from_millis(wait_ms)).await,
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
            Ok(None) => return self.asynchronous.queue().over(due, None),
            Err(error) => Err(error),
        };
        let answer =
            answer.unwrap_or_else(|error| modelet_protocol::error(ProtocolName::Fn, &error.into(), None));
        let limits = self.settings(&due.function);
        let again_at_ms = self.asynchronous.settle(&mut due, answer, &limits, self.now_ms()).await;
        self.asynchronous.queue().over(due, again_at_ms);
    }

    /// One attempt: the walk of any other call, from the body on.
    async fn perform(self: Arc<Self>, asked: Asked, attempt: u32) -> Response<Bytes> {
        let route = match modelet_protocol::route(&asked.method, asked.uri.path()) {
            Some(Ok(route)) => route,
            Some(Err((protocol, error))) => return refused(protocol, error, &asked.id),
            None => {
                let error = PlatformError::new(Code::RouteNotFound, format!("{} leads nowhere", asked.uri));
                return refused(ProtocolName::Fn, error, &asked.id);
            }
        };
        let held = Held::within(asked.body, &self.buffer);
        let (entry, held) = match self.admit(&route).await.and_then(|entry| Ok((entry, held?))) {
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
        let answer = self.walk(route.protocol, &entry, request, record, limit_bytes).await;
        answer.map(|held| held.bytes)
    }

    fn settings(&self, function: &FunctionName) -> Settings {
        let live = self.catalog.resolve(function, Qualifier::Live);
        live.map(|entry| entry.card.settings.clone()).unwrap_or_default()
    }

    fn async_concurrency(&self, function: &FunctionName) -> usize {
        usize::try_from(self.settings(function).async_concurrency).unwrap_or(usize::MAX)
    }

    fn now_ms(&self) -> i64 {
        self.dispatch.shared().clock.unix_ms()
    }
}

fn named(route: &Route) -> Result<&FunctionName, PlatformError> {
    let none = || PlatformError::new(Code::RouteNotFound, "the path names no function");
    route.function.as_ref().ok_or_else(none)
}

fn unknown(function: &FunctionName, id: &InvocationId) -> PlatformError {
    let message = format!("{function} has no asynchronous invocation {:?}", id.0);
    PlatformError::new(Code::InvocationNotFound, message)
        .hint("answers are kept as long as async_result_ms says; modelet logs has the record of the call")
}

/// Accepted, and not yet ended.
fn pending(body: &serde_json::Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = StatusCode::ACCEPTED;
    set_header(response.headers_mut(), "content-type", "application/json");
    set_header(response.headers_mut(), RETRY_AFTER.as_str(), "1");
    response
}
