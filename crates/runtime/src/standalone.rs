//! A program that carries the artifact that it serves ([`modelet_core::standalone`]). It reads it from its own file, into memory, and
//! writes nothing: neither folders nor `/proc` nor `/tmp` have to be there.

mod arguments;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use modelet_core::digest::hex;
use modelet_core::standalone::{ALIGNMENT, Trailer};
use modelet_core::{ArtifactCard, Version, digest};
use modelet_model::Files;

use crate::config::Config;
use crate::handler::Loaded;
use crate::{beside, log};
use arguments::Arguments;

/// Most bytes of an artifact that are taken into memory.
const MAX_BYTES: u64 = 8 << 30;

/// The whole life of such a program; `None`: this one carries nothing. `load` makes what answers the calls.
pub fn main(load: impl FnOnce(&Config) -> Loaded) -> Option<ExitCode> {
    let started = Instant::now();
    let program = beside::program()?;
    let (mut file, trailer) = trailer(&program).ok()??;
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let config = read(&mut file, &trailer).map_err(|why| format!("{}: {why}", program.display()));
    let code = config.and_then(|config| serve(&name, config, started, load)).unwrap_or_else(|why| {
        log::say(log::Level::Error, &format!("{name}: {why}"));
        ExitCode::from(2)
    });
    Some(code)
}

fn serve(
    name: &str,
    config: Config,
    started: Instant,
    load: impl FnOnce(&Config) -> Loaded,
) -> Result<ExitCode, String> {
    match Arguments::of(std::env::args_os().skip(1))? {
        Arguments::Help => print(&arguments::help(name, &config.card)),
        Arguments::Version => print(&arguments::version(name, &config.card)),
        Arguments::Serve(asked) => {
            let contract = asked.contract(|name| std::env::var_os(name))?;
            return crate::host(&contract, started, || Ok(config), load);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What was asked for is data, for standard output. A closed pipe is the reader's choice.
fn print(text: &str) {
    let _ = io::Write::write_all(&mut io::stdout(), text.as_bytes());
}

/// The end of a file, if it is one of such a program.
fn trailer(program: &Path) -> io::Result<Option<(File, Trailer)>> {
    let mut file = File::open(program)?;
    let mut bytes = [0; Trailer::BYTES];
    file.seek(SeekFrom::End(-(Trailer::BYTES as i64)))?;
    file.read_exact(&mut bytes)?;
    Ok(Trailer::of(&bytes).map(|trailer| (file, trailer)))
}

/// Reads the artifact, and checks it. It stays in memory until the program ends.
fn read(file: &mut File, trailer: &Trailer) -> Result<Config, String> {
    let damaged = |why: &str| format!("it is damaged or cut ({why}): copy it again");
    if trailer.artifact_bytes > MAX_BYTES {
        return Err(damaged("its artifact is too large"));
    }
    let from_end = trailer.artifact_bytes + Trailer::BYTES as u64;
    let mut bytes = Vec::with_capacity(trailer.artifact_bytes as usize);
    file.seek(SeekFrom::End(-(from_end as i64)))
        .and_then(|_| file.take(trailer.artifact_bytes).read_to_end(&mut bytes))
        .map_err(|error| damaged(&error.to_string()))?;
    let sum = digest::sha256(bytes.as_slice()).map_err(|error| error.to_string())?;
    if sum != (trailer.artifact_bytes, hex(&trailer.sha256)) {
        return Err(damaged("its hash is another"));
    }
    let bytes: &'static [u8] = bytes.leak();
    let card = bytes.get(..trailer.card_bytes as usize).unwrap_or_default();
    let card: ArtifactCard = serde_json::from_slice(card).map_err(|error| damaged(&error.to_string()))?;
    card.check()?;
    let files = files(bytes, trailer.card_bytes, &card).ok_or_else(|| damaged("it lacks files"))?;
    Ok(Config {
        artifact: PathBuf::new(),
        card,
        version: Version(1),
        read_from: Files::Memory(Arc::new(files)),
        onnxruntime: None,
        secrets: Vec::new(),
        prepared: RefCell::default(),
    })
}

/// The files by their paths, as a folder of the artifact has them.
fn files(bytes: &'static [u8], mut at: u64, card: &ArtifactCard) -> Option<BTreeMap<PathBuf, &'static [u8]>> {
    let folder = Path::new("").join(crate::config::FILES);
    let one = |file: &modelet_core::ArtifactFile| {
        let begin = at.checked_next_multiple_of(ALIGNMENT)?;
        at = begin.checked_add(file.size_bytes)?;
        Some((folder.join(&file.path), bytes.get(begin as usize..at as usize)?))
    };
    card.files.iter().map(one).collect()
}
