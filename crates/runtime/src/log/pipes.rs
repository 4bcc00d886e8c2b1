//! What a process beside this one prints, on its way to this one's output.
//!
//! A thread waits for it. But what was written before an answer has to be told before the answer is: a host may stop this process as
//! soon as it has that one. What the other process wrote is in the pipes when its answer is here, so whoever has an answer empties
//! them first, and nothing needs to be waited for.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use modelet_core::entry::{Entry, Stream};
use modelet_core::lines::take_lines;
use rustix::event::{PollFd, PollFlags};
use rustix::io::{Errno, ioctl_fionread};
use rustix::pipe::{PipeFlags, pipe_with};

use super::{LOG, Log, now_ms};

/// So much is read at once.
const READ_BYTES: usize = 64 << 10;

/// The ends that are read, of both outputs.
#[derive(Debug)]
pub struct Pipes {
    ends: [(Stream, File); 2],
    /// What was read of each and is no whole line yet.
    begun: Mutex<[Vec<u8>; 2]>,
}

/// The ends that the other process writes to.
#[derive(Debug)]
pub struct Written {
    /// Its standard output.
    pub stdout: OwnedFd,
    /// Its standard error.
    pub stderr: OwnedFd,
}

impl Pipes {
    /// Pipes for a process that is about to be started; `None` where what it prints is not written in another form.
    pub fn open() -> io::Result<Option<(Arc<Self>, Written)>> {
        let Some(log) = LOG.get() else { return Ok(None) };
        let (stdout, to_stdout) = pipe_with(PipeFlags::CLOEXEC)?;
        let (stderr, to_stderr) = pipe_with(PipeFlags::CLOEXEC)?;
        let ends = [(Stream::Stdout, File::from(stdout)), (Stream::Stderr, File::from(stderr))];
        let pipes = Arc::new(Self { ends, begun: Mutex::default() });
        let followed = pipes.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || followed.follow(log))?;
        Ok(Some((pipes, Written { stdout: to_stdout, stderr: to_stderr })))
    }

    /// Tells all that is in the pipes now.
    pub fn drain(&self) {
        if let Some(log) = LOG.get() {
            for place in 0..self.ends.len() {
                self.take(place, log);
            }
        }
    }

    /// The same when the other process has ended: also what has no line end.
    pub fn end(&self) {
        self.drain();
        if let Some(log) = LOG.get() {
            self.tell_rest(log);
        }
    }

    /// Tells what comes, until nobody can write any more.
    fn follow(&self, log: &Log) {
        let mut open = vec![0, 1];
        while !open.is_empty() {
            let mut polled: Vec<PollFd<'_>> =
                open.iter().map(|place| PollFd::new(&self.ends[*place].1, PollFlags::IN)).collect();
            while rustix::event::poll(&mut polled, None).is_err_and(|error| error == Errno::INTR) {}
            let events: Vec<PollFlags> = polled.iter().map(PollFd::revents).collect();
            let mut events = events.into_iter();
            open.retain(|place| {
                let events = events.next().unwrap_or(PollFlags::empty());
                if events.contains(PollFlags::IN) {
                    self.take(*place, log);
                    return true;
                }
                events.is_empty()
            });
        }
        self.tell_rest(log);
    }

    /// Tells what is in one of them now, and no more: one that is written to without end would keep its reader for ever.
    fn take(&self, place: usize, log: &Log) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let (stream, end) = &self.ends[place];
        let mut left = ioctl_fionread(end.as_fd()).map_or(0, |bytes| usize::try_from(bytes).unwrap_or(0));
        let mut bytes = vec![0; left.min(READ_BYTES)];
        while left > 0 {
            let wanted = left.min(READ_BYTES);
            let mut end: &File = end;
            let Ok(read @ 1..) = end.read(&mut bytes[..wanted]) else { break };
            begun[place].extend_from_slice(&bytes[..read]);
            left -= read;
            tell(log, *stream, &mut begun[place], false);
        }
    }

    /// Tells what has no line end.
    fn tell_rest(&self, log: &Log) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, (stream, _)) in self.ends.iter().enumerate() {
            tell(log, *stream, &mut begun[place], true);
        }
    }
}

fn tell(log: &Log, stream: Stream, bytes: &mut Vec<u8>, is_end: bool) {
    for line in take_lines(bytes, is_end) {
        log.tell(&Entry::of_line(stream, line, now_ms()));
    }
}
