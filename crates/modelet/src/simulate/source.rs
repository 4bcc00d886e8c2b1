//! Files and folders, and which format they have. A format is recognised by what stands in the first line.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use modelet_core::Code;

use super::rows::unreadable;
use super::trace::{Recorder, Trace};
use super::{arrivals, azure2019, azure2021, log};
use crate::report::Report;

/// A header is never longer; that of 2019 has 1,444 columns.
const LONGEST_HEADER_BYTES: u64 = 64 << 10;
/// Most files of a folder.
const MOST_FILES: usize = 1_000;

/// What a trace does not say.
#[derive(Debug, Clone, Copy)]
pub struct Unsaid {
    /// How long a call takes.
    pub duration: Option<Duration>,
    /// What is drawn by chance is drawn from this.
    pub seed: u64,
}

impl Unsaid {
    /// How long a call takes of which nothing is known.
    pub fn duration(&self) -> Duration {
        self.duration.unwrap_or(Duration::from_millis(100))
    }
}

/// A format of traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Azure2021,
    Azure2019,
    Arrivals,
    Log,
}

impl Format {
    const fn name(self) -> &'static str {
        match self {
            Self::Azure2021 => "an Azure Functions trace of 2021",
            Self::Azure2019 => "part of an Azure Functions trace of 2019",
            Self::Arrivals => "a list of arrivals",
            Self::Log => "a log of modelet",
        }
    }

    /// By the first line of a file.
    fn of(first: &str) -> Option<Self> {
        let columns: Vec<_> = first.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
        let has = |name: &str| columns.iter().any(|column| column == name);
        if first.trim_start().starts_with('{') {
            Some(Self::Log)
        } else if has("end_timestamp") {
            Some(Self::Azure2021)
        } else if has("hashapp") {
            Some(Self::Azure2019)
        } else if has("timestamp") {
            Some(Self::Arrivals)
        } else {
            None
        }
    }
}

/// Reads traces, which all have one format.
pub fn read(traces: &[PathBuf], unsaid: Unsaid) -> Result<Trace, Report> {
    let files = files(traces)?;
    let format = common_format(&files)?;
    let mut recorder = Recorder::default();
    match format {
        Format::Azure2019 => azure2019::read(&files, unsaid, &mut recorder)?,
        Format::Azure2021 => files.iter().try_for_each(|file| azure2021::read(file, &mut recorder))?,
        Format::Arrivals => files.iter().try_for_each(|file| arrivals::read(file, unsaid, &mut recorder))?,
        Format::Log => files.iter().try_for_each(|file| log::read(file, unsaid, &mut recorder))?,
    }
    recorder.finish()
}

/// Folders stand for the CSV files in them, in the order of their names.
fn files(traces: &[PathBuf]) -> Result<Vec<PathBuf>, Report> {
    let mut files = Vec::new();
    for trace in traces {
        if !trace.is_dir() {
            files.push(trace.clone());
            continue;
        }
        let entries = fs::read_dir(trace).map_err(|error| unreadable(trace, &error))?;
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let is_csv = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "csv");
        let mut inside: Vec<_> = paths.filter(is_csv).take(MOST_FILES).collect();
        if inside.is_empty() {
            let what = format!("there is no CSV file in the folder {}", trace.display());
            return Err(Report::new(Code::BadTrace, what));
        }
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

fn common_format(files: &[PathBuf]) -> Result<Format, Report> {
    let mut common = None;
    for file in files {
        let format = format(file)?;
        let (first_file, first) = *common.get_or_insert((file, format));
        if format != first {
            let (a, b) = (first_file.display(), file.display());
            let what = format!("{a} is {}, {b} is {}", first.name(), format.name());
            return Err(Report::new(Code::BadTrace, what).hint("simulate traces of one format at a time"));
        }
    }
    common.map(|(_, format)| format).ok_or_else(|| Report::new(Code::BadTrace, "there is no trace"))
}

fn format(file: &Path) -> Result<Format, Report> {
    let open = File::open(file).map_err(|error| unreadable(file, &error))?;
    let mut first = Vec::new();
    let mut head = BufReader::new(open).take(LONGEST_HEADER_BYTES);
    head.read_until(b'\n', &mut first).map_err(|error| unreadable(file, &error))?;
    Format::of(String::from_utf8_lossy(&first).trim_start_matches('\u{feff}')).ok_or_else(|| {
        let what = format!("{}:1: this is no trace that modelet can read", file.display());
        Report::new(Code::BadTrace, what).hint(
            "the first line has the columns app,func,end_timestamp,duration (Azure 2021), or HashApp,HashFunction,… \
             (Azure 2019), or one called TIMESTAMP, or is a line of `modelet logs NAME --json`",
        )
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Reads files with these names and texts.
    fn try_read(files: &[(&str, &str)], unsaid: Unsaid) -> Result<Trace, Report> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        read(&[folder.path().to_owned()], unsaid)
    }

    pub const NOTHING: Unsaid = Unsaid { duration: None, seed: 1 };

    pub fn trace(files: &[(&str, &str)]) -> Trace {
        try_read(files, NOTHING).unwrap()
    }

    pub fn trace_with(files: &[(&str, &str)], unsaid: Unsaid) -> Trace {
        try_read(files, unsaid).unwrap()
    }

    /// What is wrong with the files.
    pub fn problem(files: &[(&str, &str)]) -> String {
        try_read(files, NOTHING).unwrap_err().message().to_owned()
    }

    #[test]
    fn formats_are_known_by_their_first_line_and_are_not_mixed() {
        assert_eq!(Format::of("app,func,end_timestamp,duration\n"), Some(Format::Azure2021));
        assert_eq!(Format::of("HashOwner,HashApp,HashFunction,Trigger,1,2\n"), Some(Format::Azure2019));
        assert_eq!(Format::of("TIMESTAMP,ContextTokens,GeneratedTokens\n"), Some(Format::Arrivals));
        assert_eq!(Format::of("{\"seq\":1}\n"), Some(Format::Log));
        assert_eq!(Format::of("a,b\n"), None);
        let files = [("a.csv", "app,func,end_timestamp,duration\n"), ("b.csv", "TIMESTAMP\n")];
        let mixed = problem(&files);
        assert!(mixed.contains("a.csv is an Azure Functions trace of 2021"), "{mixed}");
        assert!(mixed.contains("b.csv is a list of arrivals"), "{mixed}");
        assert!(problem(&[("a.csv", "a,b\n1,2\n")]).contains("a.csv:1: this is no trace"));
        assert!(problem(&[]).starts_with("there is no CSV file in the folder"));
    }
}
