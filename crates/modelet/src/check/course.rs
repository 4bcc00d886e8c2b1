//! One run of a function, as the target would run it: started, called once, watched, ended.

use std::path::Path;
use std::time::{Duration, Instant};

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Body;
use modelet_core::Target;
use modelet_core::entry::Entry;
use modelet_core::instance::HEADER_INVOCATION;
use modelet_worker::{Confinement, Feed, OutputLine, Spawner};
use tokio::sync::mpsc;

use super::sample::Sample;
use crate::trial::{Running, Trial};

/// How often its memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Its last words come within this time.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Most that is kept of what it says.
const MAX_ENTRIES: usize = 10_000;
/// The id of the call.
const INVOCATION: &str = "check";
/// An answer is read up to so much, which is more than any target takes, so that its size can be told.
const ANSWER_ROOM_BYTES: usize = 256 << 20;

/// What is run.
pub struct Course<'a> {
    /// The instance.
    pub trial: &'a Trial<'a>,
    /// Whose limits hold.
    pub target: Target,
    /// The call.
    pub sample: Option<&'a Sample>,
    /// How long it is waited for until it is ready.
    pub load_limit: Duration,
    /// How long it is waited for its answer.
    pub call_limit: Duration,
}

/// How an instance started.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// It was ready after so many milliseconds.
    Ready(f64),
    /// It cannot be: why.
    Failed(String),
    /// Not in time.
    Late,
}

/// How a call went.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// It was answered.
    Answered {
        /// After so many milliseconds.
        took_ms: f64,
        /// With this status.
        status: StatusCode,
        /// And this body.
        body: Vec<u8>,
        /// Which came in pieces.
        in_pieces: bool,
    },
    /// Not: why.
    Failed(String),
    /// Not in time.
    Late,
}

/// What a run came to.
#[derive(Debug, Default)]
pub struct Ran {
    /// How it started; `None` when it was ended before that was known.
    pub start: Option<Start>,
    /// How its call went, where it got one.
    pub call: Option<Call>,
    /// The most memory that it was seen to hold, KiB; without what lies in /tmp where that is a disk at the target.
    pub held_kib: u64,
    /// The most that it was seen to have in such a /tmp, KiB.
    pub tmp_kib: u64,
    /// It held more than it may.
    pub out_of_memory: bool,
    /// What it said.
    pub said: Vec<Entry>,
}

impl Course<'_> {
    /// Runs it. The error says why it could not be.
    pub async fn run(&self, spawner: &Spawner, work: &Path) -> Result<Ran, String> {
        let folder = tempfile::tempdir_in(work).map_err(|error| error.to_string())?;
        let Running { feed, process, lines, readers, confinement } =
            self.trial.start(spawner, folder.path()).await?;
        let listening = tokio::spawn(listen(lines));
        let limit_kib = self.trial.memory_mib << 10;
        let mut ran = Ran::default();
        let mut look = tokio::time::interval(LOOK_EVERY);
        let mut going = Box::pin(self.go(&feed));
        loop {
            tokio::select! {
                (start, call) = &mut going => {
                    (ran.start, ran.call) = (Some(start), call);
                    break;
                }
                _ = look.tick() => {
                    self.look(&confinement, &mut ran);
                    if ran.held_kib > limit_kib {
                        break;
                    }
                }
            }
        }
        drop(going);
        self.look(&confinement, &mut ran);
        ran.out_of_memory = ran.held_kib > limit_kib || confinement.oom_killed();
        // What it has said by now is all that is wanted of it.
        let _ = tokio::time::timeout(LAST_WORDS, readers.catch_up()).await;
        let _ = process.stop(Duration::ZERO).await;
        if let Ok(Ok(said)) = tokio::time::timeout(LAST_WORDS, listening).await {
            ran.said = said;
        }
        Ok(ran)
    }

    /// What it holds now.
    fn look(&self, confinement: &Confinement, ran: &mut Ran) {
        let tmp_kib = if self.target.keeps_tmp_in_memory() { 0 } else { confinement.tmp_kib() };
        ran.held_kib = ran.held_kib.max(confinement.memory_kib().saturating_sub(tmp_kib));
        ran.tmp_kib = ran.tmp_kib.max(tmp_kib);
    }

    async fn go(&self, feed: &Feed) -> (Start, Option<Call>) {
        let start = match tokio::time::timeout(self.load_limit, feed.readiness()).await {
            Err(_) => Start::Late,
            Ok(Err(error)) => Start::Failed(format!("it ended before it was ready: {error}")),
            Ok(Ok(readiness)) => match readiness.failure {
                Some((_, why)) => Start::Failed(why),
                None => Start::Ready(readiness.load_ms),
            },
        };
        let call = match (&start, self.sample) {
            (Start::Ready(_), Some(sample)) => Some(
                tokio::time::timeout(self.call_limit, self.call(feed, sample))
                    .await
                    .map_or(Call::Late, |called| called.unwrap_or_else(Call::Failed)),
            ),
            _ => None,
        };
        (start, call)
    }

    async fn call(&self, feed: &Feed, sample: &Sample) -> Result<Call, String> {
        let path = format!("/fn/{}{}", self.trial.card.name, sample.at);
        let mut request = Request::builder()
            .method(&sample.method)
            .uri(path)
            .header(http::header::HOST, "localhost")
            .header(HEADER_INVOCATION, INVOCATION);
        if let Some(content_type) = sample.content_type {
            request = request.header(http::header::CONTENT_TYPE, content_type);
        }
        let request = request.body(Full::new(sample.body.clone())).map_err(|error| error.to_string())?;
        let since = Instant::now();
        let (response, _connection) = feed.send(request).await.map_err(|error| error.to_string())?;
        let (head, body) = response.into_parts();
        let in_pieces = body.size_hint().exact().is_none();
        let body = Limited::new(body, ANSWER_ROOM_BYTES).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                format!("its answer has more than {ANSWER_ROOM_BYTES} bytes, and was read no further")
            } else {
                error.to_string()
            }
        })?;
        let took_ms = since.elapsed().as_secs_f64() * 1e3;
        Ok(Call::Answered { took_ms, status: head.status, body: body.to_bytes().into(), in_pieces })
    }
}

/// All that it says, up to a number of things; beyond that it is read and dropped, so that it never waits in its `write`.
async fn listen(mut lines: mpsc::Receiver<OutputLine>) -> Vec<Entry> {
    let mut said = Vec::new();
    while let Some(line) = lines.recv().await {
        if said.len() < MAX_ENTRIES {
            said.push(Entry::of_line(line.stream, line.text, 0));
        }
    }
    said
}
