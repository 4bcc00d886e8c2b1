//! The course of `sandbox-init`: read the order, join the control group, go behind the walls, become the program.

use std::convert::Infallible;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use modelet_core::manifest::Rung;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Signal, getpid};

use super::filter::{self, Walls};
use super::namespaces::{self, Identity, New, Side};
use super::order::{JoinGroup, Order};
use super::status::{Doing, Message, Status, Step};
use super::{fence, limits, privileges, root};
use crate::processor;

/// The name of the machine in an instance's eyes.
const HOST_NAME: &[u8] = b"modelet";

/// Becomes the instance; comes back when that failed, or when the instance is another process.
pub(crate) fn run() -> ExitCode {
    let status = match Status::take() {
        Ok(status) => status,
        Err(error) => {
            eprintln!("this is started by the platform only: {error}");
            return ExitCode::FAILURE;
        }
    };
    match begin(&status) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // When nobody reads it nobody waits for it either.
            let _ = status.say(&Message::Failed(failure));
            ExitCode::FAILURE
        }
    }
}

/// `Ok` in the process that has made another one and is done.
fn begin(status: &Status) -> Step<()> {
    let order = Order::read().doing("read the order")?;
    if let Some(path) = root::bad_target(&order) {
        return Err(io::Error::from(io::ErrorKind::InvalidInput))
            .doing(format!("use {}: paths must be absolute and without ..", path.display()));
    }
    null_input().doing("open /dev/null")?;
    rustix::process::umask(Mode::WGRP | Mode::WOTH);
    let group = join(order.group.as_ref())?;
    // Where the kernel knows no short turns they are long.
    let _ = processor::take_short_turns();
    let never = match order.rung {
        Rung::NamespacesAndCgroups | Rung::Namespaces => {
            let who = Identity::current();
            let new = New { user: !who.is_root(), network: !order.sandbox.network };
            match namespaces::clone(&new, group.as_ref()).doing("make namespaces")? {
                Side::Outer(pid) => return status.say(&Message::Process(pid)).doing("tell the platform"),
                Side::Inner => apart(&order, who, status)?,
            }
        }
        Rung::Landlock | Rung::Filter => {
            let pid = getpid().as_raw_nonzero().get();
            status.say(&Message::Process(pid)).doing("tell the platform")?;
            among_others(&order, status)?
        }
    };
    match never {}
}

/// The order came through standard input; the instance gets an empty one.
fn null_input() -> io::Result<()> {
    let null = File::open("/dev/null")?;
    Ok(rustix::stdio::dup2_stdin(null)?)
}

/// Joins the group of version 1, or opens the one of version 2 to be made in.
fn join(group: Option<&JoinGroup>) -> Step<Option<OwnedFd>> {
    match group {
        None => Ok(None),
        Some(JoinGroup::ByTasks(files)) => {
            for file in files {
                fs::write(file, "0").doing(format!("join {}", file.display()))?;
            }
            Ok(None)
        }
        Some(JoinGroup::ByClone(folder)) => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let fd = rustix::fs::open(folder, flags, Mode::empty());
            fd.map(Some).doing(format!("open {}", folder.display()))
        }
    }
}

/// Rungs 1 and 2: process 1 of new namespaces, still with the rights to furnish them.
fn apart(order: &Order, who: Identity, status: &Status) -> Step<Infallible> {
    if !who.is_root() {
        namespaces::map_user(who).doing("name the user of the user namespace")?;
    }
    rustix::process::setsid().doing("lead a session")?;
    rustix::system::sethostname(HOST_NAME).doing("name the machine")?;
    root::build(order)?;
    let loopback = order.sandbox.loopback && !order.sandbox.network;
    if loopback {
        namespaces::raise_loopback().doing("bring up the loopback")?;
    }
    if who.is_root() {
        privileges::become_nobody().doing("become an ordinary user")?;
        // Where an ordinary user may make none the walls stand all the same: it only counts processes by instance.
        let _ = namespaces::enter_user_namespace();
    }
    if order.sandbox.network {
        fence::keep_from_abstract_sockets().doing("keep it from abstract sockets")?;
    }
    let walls = Walls { network: order.sandbox.network, loopback, namespaces: true, process: 1 };
    limits::set(&order.sandbox, order.sandbox.processes).doing("set limits")?;
    become_program(order, &order.program, walls, status)
}

/// Rungs 3 and 4: in the namespaces of the host.
fn among_others(order: &Order, status: &Status) -> Step<Infallible> {
    // Before the change of user: it may lie below a folder that only root may enter.
    let program = open_program(&order.program)?;
    let by_descriptor = PathBuf::from(format!("/proc/self/fd/{}", program.as_raw_fd()));
    if Identity::current().is_root() {
        privileges::become_nobody().doing("become an ordinary user")?;
        can_read(order)?;
    }
    if order.rung == Rung::Landlock {
        fence::enclose(order, &by_descriptor)?;
    }
    let processes = limits::threads_of_machine() + order.sandbox.processes;
    limits::set(&order.sandbox, processes).doing("set limits")?;
    let process = getpid().as_raw_nonzero().get().unsigned_abs();
    let walls = Walls { network: order.sandbox.network, loopback: false, namespaces: false, process };
    become_program(order, &by_descriptor, walls, status)
}

/// Says at once what the instance would stumble over later: nothing opens a closed folder to it, as a mount does elsewhere.
fn can_read(order: &Order) -> Step<()> {
    for bind in &order.sandbox.binds {
        rustix::fs::access(&bind.source, rustix::fs::Access::READ_OK).doing(format!(
            "read {} as an ordinary user; without namespaces everybody must be able to reach it: keep it where everybody \
             can, such as below /opt or /srv",
            bind.source.display()
        ))?;
    }
    Ok(())
}

fn open_program(path: &Path) -> Step<File> {
    let flags = (OFlags::PATH | OFlags::CLOEXEC).bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    opened.doing(format!("find {}", path.display()))
}

/// The last steps, in an order that none of them undoes another.
fn become_program(order: &Order, program: &Path, walls: Walls, status: &Status) -> Step<Infallible> {
    rustix::process::chdir(&order.folder).doing(format!("enter {}", order.folder.display()))?;
    privileges::drop_capabilities().doing("drop capabilities")?;
    // A change of user or capabilities clears it, so it comes after them; the look after that closes the gap in which the
    // platform may have died.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).doing("tie it to the platform")?;
    status.check_platform_lives().doing("find the platform alive")?;
    filter::install(walls).doing("install the system call filter")?;
    let mut command = Command::new(program);
    command.arg0(&order.program).args(&order.args).env_clear().envs(order.env.iter().cloned());
    Err(command.exec()).doing(format!("run {}", order.program.display()))
}
