//! What the trace of 2019 says of durations and memory.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use crate::report::Report;
use crate::simulate::random::Random;
use crate::simulate::rows::Rows;

/// The percentiles of durations that the trace has.
const PERCENTS: [u8; 7] = [0, 1, 25, 50, 75, 99, 100];

/// By function, and by application.
#[derive(Default)]
pub struct Tables {
    durations: HashMap<String, Durations>,
    memory_mib: HashMap<String, u64>,
}

/// How long the calls of a function take, in milliseconds at each of [`PERCENTS`].
pub struct Durations([f64; PERCENTS.len()]);

impl Tables {
    /// The first file that has a function counts.
    pub fn read_durations(&mut self, file: &Path) -> Result<(), Report> {
        let mut rows = Rows::open(file)?;
        let names = [rows.column("HashOwner")?, rows.column("HashApp")?, rows.column("HashFunction")?];
        let percentiles =
            PERCENTS.iter().map(|percent| rows.column(&format!("percentile_Average_{percent}")));
        let percentiles = percentiles.collect::<Result<Vec<_>, _>>()?;
        while let Some(row) = rows.next()? {
            let [owner, app, func] = [row.text(names[0])?, row.text(names[1])?, row.text(names[2])?];
            let mut at_ms = [0.0; PERCENTS.len()];
            for (at_ms, column) in at_ms.iter_mut().zip(&percentiles) {
                *at_ms = row.number(*column)?;
            }
            self.durations.entry(format!("{owner}/{app}/{func}")).or_insert(Durations(at_ms));
        }
        Ok(())
    }

    /// The first file that has an application counts. Some files know functions too.
    pub fn read_memory(&mut self, file: &Path) -> Result<(), Report> {
        let mut rows = Rows::open(file)?;
        let (owner, app) = (rows.column("HashOwner")?, rows.column("HashApp")?);
        let (func, average) = (rows.find("HashFunction"), rows.column("AverageAllocatedMb")?);
        while let Some(row) = rows.next()? {
            let mut key = format!("{}/{}", row.text(owner)?, row.text(app)?);
            if let Some(func) = func {
                key = format!("{key}/{}", row.text(func)?);
            }
            let memory_mib = row.number(average)?.ceil().max(1.0) as u64;
            self.memory_mib.entry(key).or_insert(memory_mib);
        }
        Ok(())
    }

    pub fn durations(&self, key: &str) -> Option<&Durations> {
        self.durations.get(key)
    }

    pub fn memory_mib(&self, owner: &str, app: &str, func: &str) -> Option<u64> {
        let of_function = self.memory_mib.get(&format!("{owner}/{app}/{func}"));
        of_function.or_else(|| self.memory_mib.get(&format!("{owner}/{app}"))).copied()
    }
}

impl Durations {
    /// One by chance.
    pub fn draw(&self, random: &mut Random) -> Duration {
        let percent = random.unit() * 100.0;
        let above = PERCENTS.iter().position(|p| f64::from(*p) > percent).unwrap_or(PERCENTS.len() - 1);
        let (low, high) = (f64::from(PERCENTS[above - 1]), f64::from(PERCENTS[above]));
        let part = (percent - low) / (high - low);
        let ms = self.0[above - 1] + (self.0[above] - self.0[above - 1]) * part;
        Duration::try_from_secs_f64(ms / 1e3).unwrap_or_default()
    }
}
