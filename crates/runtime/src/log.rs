//! What is said in the log, in the form that the host looks for: our own words, and what code beside this process prints, logs and
//! raises.
//!
//! - [`form`]: the forms, and which one it is
//! - [`calls`]: what the calls in hand are called, and the traces that they belong to; [`project`]: whose traces these are
//! - [`pipes`]: the way of what a process beside this one prints
//! - [`metrics`]: figures of a call for CloudWatch
//!
//! On a platform of ours everything is written as it comes: the platform reads records itself. What programs print goes to the
//! host as it is, unless they have secrets.

mod calls;
mod form;
mod metrics;
mod pipes;
mod project;

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

pub use modelet_core::entry::Level;
use modelet_core::entry::{Entry, Stream};
use modelet_core::redact::Redactor;

use crate::contract::Contract;

pub use calls::Call;
pub use metrics::{Metrics, Rows};
pub use pipes::{Pipes, Written};

use calls::Calls;
use form::Form;

/// The log of this process; none on a platform of ours.
static LOG: OnceLock<Log> = OnceLock::new();

/// The secrets whose values are not written.
static HIDDEN: OnceLock<Redactor> = OnceLock::new();

/// How everything is written from some moment on.
#[derive(Debug)]
struct Log {
    form: Form,
    calls: Calls,
}

/// From here on everything is written as the host of this contract understands it. An error names a variable that makes no sense.
pub fn open(contract: &Contract) -> Result<(), String> {
    let var = |name: &str| std::env::var_os(name);
    if let Some(form) = Form::of(contract, var)? {
        if form.tells_requests() {
            project::find(var);
        }
        let _ = LOG.set(Log { form, calls: Calls::default() });
    }
    Ok(())
}

/// From here on the values of these secrets are written by their names.
pub fn hide(secrets: Redactor) {
    if !secrets.is_empty() {
        let _ = HIDDEN.set(secrets);
    }
}

/// True where there are values that are not written.
pub fn hides() -> bool {
    HIDDEN.get().is_some()
}

/// Says something ourselves.
pub fn say(level: Level, text: &str) {
    match LOG.get() {
        Some(log) => log.tell(&Entry::own(level, text, now_ms())),
        None => Log::print(Stream::Stderr, &format!("{text}\n")),
    }
}

/// Now, milliseconds since 1970.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Log {
    fn tell(&self, entry: &Entry) {
        let trace = self.calls.trace(entry.invocation.as_ref());
        if let Some((stream, text)) = self.form.written(entry, trace.as_ref()) {
            Self::print(stream, &text);
        }
    }

    /// One write, so that lines stay whole; when nobody reads any more there is nobody to tell.
    fn print(stream: Stream, text: &str) {
        let text = match HIDDEN.get() {
            Some(secrets) => Cow::Owned(secrets.redact(text.to_owned())),
            None => Cow::Borrowed(text),
        };
        let _ = match stream {
            Stream::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
            }
            Stream::Stderr => io::stderr().lock().write_all(text.as_bytes()),
        };
    }
}
