//! The thread that starts processes.
//!
//! Instances die with the platform, by the kernel's hand (`PR_SET_PDEATHSIG`), so that not even `kill -9` leaves orphans.
//! The kernel ties that signal to the *thread* that started the process: a thread of a pool would take its instances
//! with it when it is retired. So one thread does nothing else, and lives as long as the platform.

#![allow(unsafe_code)]

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use rustix::process::{Resource, Rlimit, Signal};
use tokio::sync::oneshot;

use crate::process::Process;

/// The descriptor under which an instance finds its listening socket.
pub const SOCKET_FD: i32 = 3;
/// The descriptor under which a stem cell finds the socket that its artifact comes through.
pub const CONTROL_FD: i32 = 4;

/// What to start.
#[derive(Debug)]
pub struct Launch {
    /// Absolute path of the program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment: nothing is inherited.
    pub env: Vec<(OsString, OsString)>,
    /// Its working folder.
    pub folder: PathBuf,
    /// Becomes fd 3.
    pub socket: OwnedFd,
    /// Becomes fd 4, of a stem cell.
    pub control: Option<OwnedFd>,
    /// Most open files.
    pub open_files: u64,
}

/// A started process and its output.
#[derive(Debug)]
pub struct Spawned {
    /// The process, which leads a group of its own.
    pub process: Process,
    /// What it prints.
    pub stdout: OwnedFd,
    /// What it complains about.
    pub stderr: OwnedFd,
}

type Order = (Launch, oneshot::Sender<io::Result<Child>>);

/// A handle to the thread that starts processes.
#[derive(Debug, Clone)]
pub struct Spawner {
    orders: mpsc::Sender<Order>,
}

impl Spawner {
    /// Starts the thread. It ends, and with it every process that it started, when the last handle is dropped.
    pub fn start() -> io::Result<Self> {
        seal_inherited()?;
        let (orders, inbox) = mpsc::channel::<Order>();
        thread::Builder::new().name("spawner".into()).spawn(move || {
            for (launch, reply) in inbox {
                if let Err(Ok(mut unwanted)) = reply.send(start(launch)) {
                    // The one who asked is gone. The process has had no time to start others.
                    let _ = unwanted.kill().and_then(|()| unwanted.wait());
                }
            }
        })?;
        Ok(Self { orders })
    }

    /// Starts a process.
    pub async fn spawn(&self, launch: Launch) -> io::Result<Spawned> {
        let (reply, answer) = oneshot::channel();
        let gone = || io::Error::other("the spawner thread has ended");
        self.orders.send((launch, reply)).map_err(|_| gone())?;
        let mut child = answer.await.map_err(|_| gone())??;
        adopt(&mut child).inspect_err(|_| {
            // Nobody would look after it.
            let _ = child.kill().and_then(|()| child.wait());
        })
    }
}

fn adopt(child: &mut Child) -> io::Result<Spawned> {
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other("a piped output is missing"));
    };
    Ok(Spawned { process: Process::adopt(child)?, stdout: stdout.into(), stderr: stderr.into() })
}

fn start(launch: Launch) -> io::Result<Child> {
    let mut command = Command::new(&launch.program);
    command.args(&launch.args).env_clear().envs(launch.env).current_dir(&launch.folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let platform = rustix::process::getpid();
    let inherited = [Some(launch.socket.as_raw_fd()), launch.control.as_ref().map(AsRawFd::as_raw_fd)];
    let open_files = launch.open_files;
    // SAFETY: the closure runs between fork and exec in a process with many threads, where only async-signal-safe calls are
    // sound. It makes system calls through rustix and allocates nothing: errors are built from raw numbers.
    unsafe {
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            if rustix::process::getppid() != Some(platform) {
                return Err(io::Error::from_raw_os_error(rustix::io::Errno::SRCH.raw_os_error()));
            }
            set_limit(Resource::Core, 0)?;
            set_limit(Resource::Nofile, open_files)?;
            inherit(inherited)
        });
    }
    command.spawn()
}

/// Keeps what the platform itself inherited (a terminal's or a build tool's descriptors) from reaching instances. All
/// that Rust opens is close-on-exec anyway.
fn seal_inherited() -> io::Result<()> {
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        if let Some(fd) = name.to_str().and_then(|name| name.parse::<i32>().ok()).filter(|fd| *fd > 2) {
            // SAFETY: borrowed for one call that only sets a flag; if the descriptor was closed meanwhile the call fails.
            let fd = unsafe { BorrowedFd::borrow_raw(fd) };
            let _ = rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC);
        }
    }
    Ok(())
}

fn set_limit(resource: Resource, most: u64) -> io::Result<()> {
    let maximum = rustix::process::getrlimit(resource).maximum;
    let most = maximum.map_or(most, |maximum| maximum.min(most));
    Ok(rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}

/// Puts the sockets at fd 3 and fd 4, without close-on-exec.
fn inherit([socket, control]: [Option<i32>; 2]) -> io::Result<()> {
    // Out of the way first, since either may lie where the other belongs.
    let socket = socket.map(above_inherited).transpose()?;
    let control = control.map(above_inherited).transpose()?;
    socket.map_or(Ok(()), |fd| place(fd, SOCKET_FD))?;
    control.map_or(Ok(()), |fd| place(fd, CONTROL_FD))
}

/// A copy of a descriptor with a number beyond those that are handed over.
fn above_inherited(fd: i32) -> io::Result<i32> {
    // SAFETY: it is open: it belongs to the `Launch` that the parent keeps until the child has exec'd.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let copy = rustix::io::fcntl_dupfd_cloexec(fd, CONTROL_FD + 1)?;
    Ok(std::os::fd::IntoRawFd::into_raw_fd(copy))
}

fn place(fd: i32, at: i32) -> io::Result<()> {
    // SAFETY: `fd` was made by `above_inherited` and is closed by exec.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    // SAFETY: the number is taken by `dup2` here, whatever it was before (a close-on-exec descriptor of the platform, which the
    // child would lose at exec anyway), and is never closed by this process: `forget` gives it up.
    let mut target = unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(at) };
    let done = rustix::io::dup2(fd, &mut target);
    std::mem::forget(target);
    Ok(done?)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::process::Exit;
    use crate::socket::SocketFolder;

    async fn shell(script: &str) -> (Spawner, Spawned) {
        let folder = tempfile::tempdir().unwrap();
        let socket = SocketFolder::create(&folder.path().join("run")).unwrap().bind("s").unwrap();
        let spawner = Spawner::start().unwrap();
        let launch = Launch {
            program: "/bin/sh".into(),
            args: ["-c".into(), script.into()].into(),
            env: vec![("ONLY".into(), "this".into())],
            folder: Path::new("/").into(),
            socket: socket.listener,
            control: None,
            open_files: 64,
        };
        let spawned = spawner.spawn(launch).await.unwrap();
        (spawner, spawned)
    }

    fn read(fd: OwnedFd) -> String {
        let mut text = String::new();
        std::fs::File::from(fd).read_to_string(&mut text).unwrap();
        text
    }

    #[tokio::test]
    async fn a_process_gets_its_socket_its_environment_and_nothing_else() {
        let (_spawner, spawned) = shell(
            "env | grep -v -e PWD -e SHLVL -e ^_=; ls -l /proc/self/fd/3; ulimit -n; ls /proc/$$/fd | wc -l",
        )
        .await;
        let text = read(spawned.stdout);
        assert!(text.contains("ONLY=this\n") && !text.contains("PATH="), "{text}");
        assert!(text.contains("socket:["), "{text}");
        assert!(
            text.ends_with("64\n4\n"),
            "the limit of open files, and only stdin, stdout, stderr, fd 3: {text}"
        );
        assert_eq!(spawned.process.wait().await.unwrap(), Exit::Code(0));
    }

    #[tokio::test]
    async fn a_process_group_ends_with_its_leader_told_or_not() {
        let (_spawner, spawned) =
            shell("trap '' TERM; sleep 1000 & echo started; while true; do wait; done").await;
        let (sender, mut lines) = tokio::sync::mpsc::channel(1);
        let reader =
            tokio::spawn(crate::output::read_lines(spawned.stdout, crate::output::Stream::Stdout, sender));
        assert_eq!(lines.recv().await.unwrap().text, "started");
        spawned.process.stop(Duration::from_millis(50)).await.unwrap();
        assert_eq!(spawned.process.wait().await.unwrap(), Exit::Signal(9), "it ignored SIGTERM");
        reader.await.unwrap().unwrap();
        assert_eq!(lines.recv().await, None, "the end of the pipe: nobody of the group holds it any more");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_an_error_and_no_process() {
        let spawner = Spawner::start().unwrap();
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let launch = Launch {
            program: "/no/such/program".into(),
            args: vec![],
            env: vec![],
            folder: Path::new("/").into(),
            socket: ours.into(),
            control: None,
            open_files: 64,
        };
        assert_eq!(spawner.spawn(launch).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
