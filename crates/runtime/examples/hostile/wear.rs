//! What attacks nobody, and wears an instance or its neighbours all the same: panics, crashes, leaks, litter, burnt processor
//! time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// What a leaking handler keeps of each call, bytes.
const LEAK_BYTES: usize = 1 << 20;
/// Threads for each processor of a handler that spins, so that it competes for all of them.
const SPINNERS_PER_PROCESSOR: usize = 2;

static LEAKED: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Does what `act` says; `None` when it is none of these.
pub fn wear(act: &str, target: &str) -> Option<io::Result<String>> {
    Some(match act {
        "panic" => panic!("{target}"),
        "crash" => {
            eprintln!("{target}");
            std::process::abort()
        }
        "leak" => Ok(leak().to_string()),
        "litter" => litter(target),
        "update" => OpenOptions::new().read(true).write(true).open(target).map(|_| target.to_owned()),
        "folders" => Ok(folders(target)),
        "spin" => number(target).map(|ms| spin(Duration::from_millis(ms)).to_string()),
        "sleep" => number(target).map(|ms| {
            thread::sleep(Duration::from_millis(ms));
            target.to_owned()
        }),
        _ => return None,
    })
}

fn number(text: &str) -> io::Result<u64> {
    text.parse().map_err(|error| io::Error::other(format!("{text:?}: {error}")))
}

/// Keeps a megabyte for ever, every page of it touched, and says how many it has.
fn leak() -> usize {
    let mut leaked = LEAKED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    leaked.push(vec![1; LEAK_BYTES]);
    leaked.len()
}

/// Leaves so many MiB in a file of its own in /tmp, and says how many such files are there.
fn litter(mib: &str) -> io::Result<String> {
    let left = fs::read_dir("/tmp")?.count();
    let mut file = File::create_new(format!("/tmp/litter-{left}"))?;
    for _ in 0..number(mib)? {
        file.write_all(&[7; 1 << 20])?;
    }
    Ok((left + 1).to_string())
}

/// Of each variable among `names`, divided by spaces: its folder, and whether a file can be put into it.
fn folders(names: &str) -> String {
    let told = names.split(' ').map(|name| {
        let folder = std::env::var(name).unwrap_or_default();
        let writable = fs::create_dir_all(&folder)
            .and_then(|()| fs::write(Path::new(&folder).join(".probe"), "x"))
            .map_or_else(|error| error.to_string(), |()| "writable".to_owned());
        format!("{name}={folder} {writable}")
    });
    told.collect::<Vec<_>>().join("\n")
}

/// Computes for so long on every processor; says with how many threads.
fn spin(time: Duration) -> usize {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let until = Instant::now() + time;
    let threads = processors * SPINNERS_PER_PROCESSOR;
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(move || while Instant::now() < until {});
        }
    });
    threads
}
