//! Attempts to get out of a sandbox, by name. Also what a hostile handler does: see `examples/hostile` of the room `runtime`.

#![allow(clippy::undocumented_unsafe_blocks, reason = "it is hostile: plain system calls, on plain numbers")]
#![allow(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test program: what it did not expect ends it")]
#![allow(clippy::disallowed_methods, reason = "what waits here waits to be killed")]

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

/// Does what `act` says; the error is what kept it from it.
pub fn attempt(act: &str, target: &str) -> io::Result<String> {
    let second = Duration::from_secs(1);
    match act {
        "read" => fs::read(target).map(|text| String::from_utf8_lossy(&text).trim_end().to_owned()),
        "write" => fs::write(target, "was here").map(|()| target.to_owned()),
        "list" => Ok(names(target)?.join(" ")),
        "environments" => environments(target),
        "tcp" => TcpStream::connect_timeout(&target.parse().unwrap(), second).map(|_| target.to_owned()),
        "udp" => UdpSocket::bind("0.0.0.0:0")?.send_to(b"hello", target).map(|sent| sent.to_string()),
        "abstract" => {
            UnixStream::connect_addr(&SocketAddr::from_abstract_name(target)?).map(|_| target.to_owned())
        }
        "socket-file" => UnixStream::connect(target).map(|_| target.to_owned()),
        "capabilities" => capabilities(),
        "fork-bomb" => Ok(fork_bomb().to_string()),
        "allocate" => Ok(allocate(target.parse().unwrap()).to_string()),
        "fill-file" => fill(target),
        "fill-output" => fill_output(),
        "open-files" => Ok(open_files(target.parse().unwrap()).to_string()),
        "environment" => Ok(format!("{:?}", std::env::vars().collect::<Vec<_>>())),
        "burn" => burn(),
        "tree" => tree(),
        "hold" => hold(target),
        _ => system_call(act, target),
    }
}

/// A priority of 0, and a set of one processor, for system calls that read them.
static NOTHING: u64 = 0;
static FIRST_PROCESSOR: u64 = 1;

/// What a single system call would do; its arguments are numbers and constant texts.
fn system_call(act: &str, target: &str) -> io::Result<String> {
    let process = || target.parse::<i64>().unwrap();
    let text = |text: &'static std::ffi::CStr| text.as_ptr() as i64;
    let new_user = i64::from(libc::CLONE_NEWUSER);
    let (zeros, ones) = ((&raw const NOTHING) as i64, (&raw const FIRST_PROCESSOR) as i64);
    let (raw, seize) = (i64::from(libc::SOCK_RAW), i64::from(libc::PTRACE_SEIZE));
    let (number, args) = match act {
        "raw-socket" => (libc::SYS_socket, [i64::from(libc::AF_PACKET), raw, 0, 0, 0]),
        "netlink" => (libc::SYS_socket, [i64::from(libc::AF_NETLINK), raw, 0, 0, 0]),
        "signal" => (libc::SYS_kill, [process(), 0, 0, 0, 0]),
        "signal-all" => (libc::SYS_kill, [-1, 0, 0, 0, 0]),
        "demote" => (libc::SYS_sched_setscheduler, [process(), libc::SCHED_IDLE.into(), zeros, 0, 0]),
        "pin" => (libc::SYS_sched_setaffinity, [process(), 8, ones, 0, 0]),
        "ptrace" => (libc::SYS_ptrace, [seize, process(), 0, 0, 0]),
        "mount" => (libc::SYS_mount, [text(c"x"), text(c"/tmp"), text(c"tmpfs"), 0, 0]),
        "unshare" => (libc::SYS_unshare, [new_user, 0, 0, 0, 0]),
        "clone" => (libc::SYS_clone, [new_user | i64::from(libc::SIGCHLD), 0, 0, 0, 0]),
        "bpf" => (libc::SYS_bpf, [0; 5]),
        "io-uring" => (libc::SYS_io_uring_setup, [1, 0, 0, 0, 0]),
        "setuid" => (libc::SYS_setuid, [0; 5]),
        "device" => {
            let (here, disk) = (i64::from(libc::AT_FDCWD), i64::from(libc::S_IFBLK | 0o600));
            (libc::SYS_mknodat, [here, text(c"/tmp/disk"), disk, 0x800, 0])
        }
        _ => panic!("there is no act {act}"),
    };
    let [a, b, c, d, e] = args;
    // SAFETY: one of the calls above: none writes to this process's memory, and what they read is constant.
    let result = unsafe { libc::syscall(number, a, b, c, d, e) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result.to_string()) }
}

fn names(folder: &str) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?;
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    Ok(names)
}

/// Looks for a text in the environments of all others.
fn environments(secret: &str) -> io::Result<String> {
    let me = std::process::id().to_string();
    for process in names("/proc")?.into_iter().filter(|name| *name != me) {
        let text = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        if String::from_utf8_lossy(&text).contains(secret) {
            return Ok(process);
        }
    }
    Err(io::Error::other("not found"))
}

fn capabilities() -> io::Result<String> {
    let status = fs::read_to_string("/proc/self/status")?;
    let sets = ["CapInh", "CapPrm", "CapEff", "CapAmb"];
    let held: Vec<_> = status.lines().filter(|line| sets.iter().any(|set| line.starts_with(set))).collect();
    let none = held.iter().all(|line| line.ends_with("\t0000000000000000"));
    if none { Err(io::Error::other("none")) } else { Ok(held.join(" ")) }
}

/// Makes processes that only wait, until it can make no more.
fn fork_bomb() -> u64 {
    let mut made = 1;
    loop {
        // SAFETY: one thread; the child only waits.
        match unsafe { libc::fork() } {
            -1 => return made,
            0 => wait_for_ever(),
            _ => made += 1,
        }
    }
}

/// Takes that many MiB, a page of each touched, and holds them.
fn allocate(mib: usize) -> usize {
    let mut held: Vec<Vec<u8>> = Vec::new();
    for _ in 0..mib {
        held.push(vec![1; 1 << 20]);
    }
    println!("allocated");
    if held.is_empty() { 0 } else { wait_for_ever() }
}

/// Writes until there is no more room; says how many MiB there were.
fn fill(path: &str) -> io::Result<String> {
    let mut file = File::create(path)?;
    let block = vec![7_u8; 1 << 20];
    let mut written = 0;
    // SAFETY: ignoring a signal runs no code.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    while written < 10_000 && file.write_all(&block).is_ok() {
        written += 1;
    }
    Ok(written.to_string())
}

fn fill_output() -> io::Result<String> {
    let block = vec![b'x'; 1 << 20];
    loop {
        io::stdout().write_all(&block)?;
    }
}

fn open_files(most: usize) -> usize {
    let files: Vec<_> = (0..most).map_while(|_| File::open("/dev/null").ok()).collect();
    files.len()
}

/// Uses the processor for a while of its own time, and says how long that took by the clock, ms.
fn burn() -> io::Result<String> {
    let begin = std::time::Instant::now();
    let used = || {
        // SAFETY: a structure of numbers, filled in by the call.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: the structure lives across the call.
        unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
        let (user, system) = (usage.ru_utime, usage.ru_stime);
        (user.tv_sec + system.tv_sec) * 1_000 + (user.tv_usec + system.tv_usec) / 1_000
    };
    while used() < 300 {}
    Ok(begin.elapsed().as_millis().to_string())
}

/// A child, and a grandchild in a session of its own, which outlives its parent.
fn tree() -> io::Result<String> {
    // SAFETY: one thread; what is called in the children is plain system calls.
    unsafe {
        if libc::fork() == 0 {
            if libc::fork() == 0 {
                libc::setsid();
                wait_for_ever();
            }
            libc::_exit(0);
        }
    }
    println!("ready");
    wait_for_ever()
}

/// Puts a secret into a file, if one is named, and waits.
fn hold(path: &str) -> io::Result<String> {
    if !path.is_empty() {
        fs::write(path, "the other's secret")?;
    }
    println!("ready");
    wait_for_ever()
}

fn wait_for_ever() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}
